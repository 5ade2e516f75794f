package agents

import (
	"context"
	"encoding/json"
	"math"
	"time"

	library "strata/commands/knowledge"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/knowledge"
	"strata/internal/httpx"
)

// The numbers of passages that a search answers with.
const (
	passagesShown = 5
	mostPassages  = 20
)

// searchPatience is what a search gets, with the wait for an engine that is away: the
// model goes on without it then, and is told.
const searchPatience = 30 * time.Second

// ownTools are the tools that follow from what an agent has.
func ownTools(a *agentrun.Agent) []tool {
	var out []tool
	if len(a.DatasetIDs) > 0 {
		out = append(out, tool{name: agentrun.SearchKnowledge, target: agentrun.SearchKnowledge,
			description: "Searches the knowledge bases and answers with numbered passages of documents. Name the passages that an answer stands on by their numbers in brackets, like [1].",
			schema: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string","description":"What is looked for."},` +
				`"top_k":{"type":"integer","minimum":1,"maximum":20,"description":"How many passages; 5 when absent."}},"required":["query"]}`)})
	}
	if a.Memory != "" {
		out = append(out, memoryTools()...)
	}
	return out
}

// passage is a piece of a document, with where it stands.
type passage struct {
	Number     int      `json:"number"`
	Document   string   `json:"document_name"`
	DocumentID string   `json:"document_id"`
	DatasetID  string   `json:"dataset_id"`
	ChunkID    string   `json:"chunk_id"`
	Page       int      `json:"page,omitempty"`
	Headings   []string `json:"headings,omitempty"`
	Score      float64  `json:"score"`
	Text       string   `json:"text"`
}

// searchKnowledge looks something up in the agent's knowledge bases. The passages
// together are no longer than a tool's output may be, whole ones only.
func (s *Service) searchKnowledge(ctx context.Context, run steps.Ref, j *job, arguments map[string]any) (string, error) {
	query, _ := arguments["query"].(string)
	limit := passagesShown
	if n, given := arguments["top_k"].(float64); given {
		limit = int(min(max(n, 1), mostPassages))
	}
	if query == "" {
		return "", domain.Errorf(domain.CodeValidation, "query must be a text")
	}
	ctx, cancel := context.WithTimeout(ctx, searchPatience)
	defer cancel()
	found, err := library.FindPatiently(s.behalf(ctx, run, j), s.Knowledge, s.principal(run, j), knowledge.Question{Bases: j.agent.DatasetIDs, Query: query, Limit: limit})
	if err != nil {
		return "", err
	}
	passages, size := []passage{}, 0
	for i, f := range found {
		p := passage{Number: i + 1, Document: f.Name, DocumentID: f.DocumentID, DatasetID: f.BaseID, ChunkID: f.ChunkID, Page: f.Page,
			Headings: f.Headings, Score: math.Round(f.Score*1000) / 1000, Text: f.Text}
		b, err := json.Marshal(p)
		if err != nil {
			return "", err
		}
		if size += len(b) + 1; size > agentrun.MaxToolOutput-64 {
			break
		}
		passages = append(passages, p)
	}
	b, err := json.Marshal(map[string]any{"passages": passages})
	return string(b), err
}

// principal is on whose account a step costs something.
func (s *Service) principal(run steps.Ref, j *job) domain.Principal {
	p := domain.System(run.Organization, run.Workspace)
	p.UserID, p.KeyID, p.AppID = j.userID, j.apiKey, j.appID
	return p
}

// behalf lets what is called for a step know the run, as if a request had caused it.
func (s *Service) behalf(ctx context.Context, run steps.Ref, j *job) context.Context {
	return httpx.WithRequest(ctx, httpx.Request{CorrelationID: run.ID, Principal: s.principal(run, j)})
}
