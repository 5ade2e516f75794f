package knowledge

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"strata/domain"
	"strata/domain/knowledge"
	"strata/internal/httpx"
)

// searchFields are what is looked for.
type searchFields struct {
	Query          string          `json:"query" required:"true" minLength:"1" maxLength:"8000" example:"How long does a refund take?"`
	TopK           int             `json:"top_k" minimum:"1" maximum:"1000" default:"10" example:"5"`
	ScoreThreshold *float64        `json:"score_threshold" doc:"Only what fits at least so well." example:"0.1"`
	Mode           string          `json:"mode" enum:"vector,keyword,hybrid" default:"hybrid" doc:"What counts: meaning, words, or both."`
	Filter         json.RawMessage `json:"filter" doc:"On metadata: {\"field\": value, …}, or OpenAI's comparisons and compounds {\"type\",\"key\",\"value\"}, {\"type\",\"filters\"}." example:"{\"lang\":\"en\"}"`
}

type searchBase struct {
	baseID
	Body searchFields
}

type searchAll struct {
	Body struct {
		searchFields
		DatasetIDs []string `json:"dataset_ids" required:"true" minItems:"1" maxItems:"50" doc:"The knowledge bases to search." example:"[\"kb_01jk2m3n4p5q6r7s8t9v0w1x2y\"]"`
	}
}

// searched answers a search.
type searched struct {
	Results []result `json:"results"`
	Total   int      `json:"total" example:"1"`
	TookMS  float64  `json:"took_ms" example:"12.5"`
}

// result is a piece that was found.
type result struct {
	ChunkID      string     `json:"chunk_id" example:"doc_01jk2m3n4p5q6r7s8t9v0w1x2y.0"`
	DocumentID   string     `json:"document_id" example:"doc_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	DatasetID    string     `json:"dataset_id" example:"kb_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	DocumentName string     `json:"document_name" example:"refunds.md"`
	Content      string     `json:"content" example:"A refund takes five working days."`
	Score        float64    `json:"score" example:"0.83"`
	Page         int        `json:"page,omitempty" example:"3"`
	Headings     []string   `json:"headings,omitempty" example:"[\"Refunds\"]"`
	Metadata     domain.Doc `json:"metadata,omitempty"`
}

func (s *Service) searches(r *httpx.Router, p place) {
	one := p.op("searchKnowledgeBase", http.MethodPost, p.bases+"/{id}/search", "Search in a knowledge base", "list")
	one.Reads, one.Streaming = readModel, true // the embedding model may take longer than an operation
	httpx.Register(r, one, func(ctx context.Context, in *searchBase) (httpx.Reply[searched], error) {
		return s.search(ctx, in.Body, []string{in.ID})
	})
	all := p.op("searchKnowledge", http.MethodPost, p.search, "Search across knowledge bases", "list")
	all.Reads, all.Streaming = readModel, true
	httpx.Register(r, all, func(ctx context.Context, in *searchAll) (httpx.Reply[searched], error) {
		return s.search(ctx, in.Body.searchFields, in.Body.DatasetIDs)
	})
}

func (s *Service) search(ctx context.Context, in searchFields, bases []string) (httpx.Reply[searched], error) {
	began := time.Now()
	found, err := s.Library.Find(ctx, httpx.From(ctx).Principal, knowledge.Question{Bases: bases, Query: in.Query, Mode: knowledge.Mode(in.Mode),
		Filter: in.Filter, MinScore: in.ScoreThreshold, Limit: in.TopK})
	out := searched{Results: make([]result, len(found)), Total: len(found)}
	for i, f := range found {
		out.Results[i] = result{ChunkID: f.ChunkID, DocumentID: f.DocumentID, DatasetID: f.BaseID, DocumentName: f.Name, Content: f.Text,
			Score: f.Score, Page: f.Page, Headings: f.Headings, Metadata: f.Metadata}
	}
	out.TookMS = float64(time.Since(began).Microseconds()) / 1000
	return httpx.Reply[searched]{Body: out}, err
}
