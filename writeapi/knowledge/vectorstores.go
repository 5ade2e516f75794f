package knowledge

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"strata/domain"
	"strata/domain/knowledge"
	"strata/gateway"
	"strata/internal/httpx"
)

// storeSearch is a search in OpenAI's format.
type storeSearch struct {
	ID   string `path:"id"`
	Body struct {
		Query          any             `json:"query" required:"true" doc:"A text, or a list of texts that are looked for together." example:"\"How long does a refund take?\""`
		MaxNumResults  int             `json:"max_num_results" minimum:"1" maximum:"50" default:"10"`
		Filters        json.RawMessage `json:"filters" doc:"OpenAI's comparison and compound filters on attributes." example:"{\"type\":\"eq\",\"key\":\"lang\",\"value\":\"en\"}"`
		RankingOptions *rankingOptions `json:"ranking_options"`
		RewriteQuery   bool            `json:"rewrite_query" default:"false" doc:"Have a model write the query anew for the search: the query_model of the knowledge base. Without one the query stays as it is, as search_query shows."`
	}
}

type rankingOptions struct {
	Ranker         string   `json:"ranker" enum:"none,auto,default-2024-11-15" default:"auto" doc:"none ranks by meaning alone; the others count words, too."`
	ScoreThreshold *float64 `json:"score_threshold" minimum:"0" maximum:"1" doc:"Only what scores at least so much." example:"0"`
}

// storePage answers as OpenAI does.
type storePage struct {
	Object      string        `json:"object" example:"vector_store.search_results.page"`
	SearchQuery []string      `json:"search_query" example:"[\"How long does a refund take?\"]"`
	Data        []storeResult `json:"data"`
	HasMore     bool          `json:"has_more" example:"false"`
	NextPage    *string       `json:"next_page" doc:"Always null: max_num_results is all there is."`
}

type storeResult struct {
	FileID     string         `json:"file_id" example:"doc_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Filename   string         `json:"filename" example:"refunds.md"`
	Score      float64        `json:"score" doc:"From 0 to 1." example:"0.83"`
	Attributes domain.Doc     `json:"attributes" doc:"The document's metadata." example:"{\"lang\":\"en\"}"`
	Content    []storeContent `json:"content"`
}

type storeContent struct {
	Type string `json:"type" enum:"text" example:"text"`
	Text string `json:"text" example:"A refund takes five working days."`
}

func (s *Service) vectorStores(r *httpx.Router) {
	httpx.Register(r, httpx.Op{ID: "searchVectorStore", Method: http.MethodPost, Path: "/vector_stores/{id}/search", Mount: httpx.OpenAI, Tag: "Models",
		Summary: "Vector store search", Description: "In OpenAI's format. The store is a knowledge base, by its id or that of its vector index.",
		Permission: "knowledge-bases:list", Reads: readModel, Streaming: true}, s.searchStore)
}

// queriesOf reads a text or a list of texts.
func queriesOf(v any) ([]string, error) {
	var texts []string
	switch q := v.(type) {
	case string:
		texts = []string{q}
	case []any:
		for _, item := range q {
			text, ok := item.(string)
			if !ok {
				texts = nil
				break
			}
			texts = append(texts, text)
		}
	}
	var f domain.Faults
	f.Add(len(texts) == 0 || len(texts) > 20 || strings.TrimSpace(strings.Join(texts, "")) == "", "query", "must be a text, or a list of 1 to 20 texts")
	return texts, f.Err()
}

func (s *Service) searchStore(ctx context.Context, in *storeSearch) (httpx.Reply[storePage], error) {
	var none httpx.Reply[storePage]
	p, b := httpx.From(ctx).Principal, in.Body
	texts, err := queriesOf(b.Query)
	if err != nil {
		return none, err
	}
	store, err := s.Library.Resolve(ctx, p, in.ID)
	if err != nil {
		return none, err
	}
	if b.RewriteQuery {
		if texts, err = s.rewrite(ctx, p, store.QueryModel, texts); err != nil {
			return none, err
		}
	}
	q := knowledge.Question{Bases: []string{store.ID}, Query: strings.Join(texts, "\n"), Filter: b.Filters, FilterField: "filters", Limit: b.MaxNumResults}
	if o := b.RankingOptions; o != nil {
		q.MinScore = o.ScoreThreshold
		if o.Ranker == "none" {
			q.Mode = knowledge.ByVector
		}
	}
	found, err := s.Library.Find(ctx, p, q)
	if err != nil {
		return none, err
	}
	page := storePage{Object: "vector_store.search_results.page", SearchQuery: texts, Data: make([]storeResult, len(found))}
	for i, f := range found {
		page.Data[i] = storeResult{FileID: f.DocumentID, Filename: f.Name, Score: min(max(f.Score, 0), 1), Attributes: f.Metadata,
			Content: []storeContent{{Type: "text", Text: f.Text}}}
	}
	return httpx.Reply[storePage]{Body: page}, nil
}

// rewriting asks a model for a better query.
const rewriting = "Rewrite the user's question as one short query for a search engine. Keep names, numbers and technical words. Answer with the query alone."

// rewrite has the queries written anew by a model. Without one, or when it answers
// with nothing, they stay as they are: the answer says what was looked for.
func (s *Service) rewrite(ctx context.Context, p domain.Principal, model string, texts []string) ([]string, error) {
	if model == "" {
		return texts, nil
	}
	req, err := gateway.NewChat(gateway.ChatParams{Model: model, Messages: []gateway.Message{
		{Role: "system", Content: rewriting}, {Role: "user", Content: strings.Join(texts, "\n")}}})
	if err != nil {
		return nil, err
	}
	answer, err := s.Gateway.Chat(ctx, s.call(ctx, p, ""), req)
	if err != nil {
		return nil, err
	}
	if text := strings.TrimSpace(answer.Text); text != "" {
		return []string{text}, nil
	}
	return texts, nil
}
