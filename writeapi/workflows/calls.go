package workflows

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	library "strata/commands/knowledge"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/knowledge"
	"strata/domain/workflow"
	"strata/gateway/mcp"
)

// Tools calls what tool nodes name.
type Tools interface {
	// CallTool calls a tool; a server is told the key that the call goes by. failed
	// says that the tool has answered that it could not.
	CallTool(ctx context.Context, by mcp.Caller, target string, arguments map[string]any, key string) (output string, failed bool, err error)
}

// How long one try may take where the node does not say.
const (
	searchTime = time.Minute
	toolTime   = 5 * time.Minute
)

// payer is the principal on whose account a run's calls are.
func (j *job) payer(run steps.Ref) domain.Principal {
	p := domain.System(run.Organization, run.Workspace)
	p.UserID, p.KeyID, p.AppID = j.started.UserID, j.started.APIKey, j.started.AppID
	return p
}

// passage is a piece of a document as a knowledge node shows it: what it says, and
// where it stands.
type passage struct {
	Number       int        `json:"number"`
	Text         string     `json:"text"`
	DocumentID   string     `json:"document_id"`
	DocumentName string     `json:"document_name"`
	DatasetID    string     `json:"dataset_id"`
	ChunkID      string     `json:"chunk_id"`
	Score        float64    `json:"score"`
	Page         int        `json:"page,omitempty"`
	Headings     []string   `json:"headings,omitempty"`
	Metadata     domain.Doc `json:"metadata,omitempty"`
}

// search finds passages in knowledge bases.
func (s *Service) search(ctx context.Context, run steps.Ref, j *job, vars map[string]any) (came, error) {
	var c workflow.KnowledgeConfig
	config, err := j.fill(vars, &c)
	if err != nil {
		return came{}, err
	}
	out := came{input: config}
	ctx, cancel := j.within(ctx, s.Handler.Now(), searchTime)
	defer cancel()
	found, err := library.FindPatiently(ctx, s.Library, j.payer(run), knowledge.Question{Bases: c.DatasetIDs, Query: string(c.Query), Mode: knowledge.Mode(cmp.Or(c.Mode, string(knowledge.Hybrid))),
		Filter: c.Filter, MinScore: c.ScoreThreshold, Limit: cmp.Or(c.TopK, workflow.DefaultTopK)})
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) && domain.CodeOf(err) != domain.CodeUnavailable {
			err = domain.Errorf(domain.CodeTimeout, "the search took too long")
		}
		return out, mark(err)
	}
	passages := make([]passage, len(found))
	for i, f := range found {
		passages[i] = passage{Number: i + 1, Text: f.Text, DocumentID: f.DocumentID, DocumentName: f.Name, DatasetID: f.BaseID, ChunkID: f.ChunkID,
			Score: f.Score, Page: f.Page, Headings: f.Headings, Metadata: f.Metadata}
	}
	out.output, err = plainJSON(map[string]any{"passages": passages, "text": strings.TrimSpace(knowledge.Numbered(found)), "count": len(found)})
	return out, err
}

// useTool calls a tool. Protocols for tools have no way to ask what became of a
// call, so one whose end is unknown is not made again unless the node says that this
// does no harm.
func (s *Service) useTool(ctx context.Context, run steps.Ref, step string, j *job, vars map[string]any) (came, error) {
	var c workflow.ToolConfig
	config, err := j.fill(vars, &c)
	if err != nil {
		return came{}, err
	}
	out := came{input: config}
	if !workflow.IsTool(c.Tool) {
		return out, domain.Errorf(domain.CodeValidation, "there is no tool %q", c.Tool)
	}
	repeatable := c.Repeatable || !strings.HasPrefix(c.Tool, "mcp:")
	if j.execution > 1 && !repeatable {
		return out, domain.Errorf(domain.CodeWorkflow, "it is not known whether the call of the tool took effect: the server was restarted while it was made. It was not made again, since the node is not repeatable")
	}
	ctx, cancel := j.within(ctx, s.Handler.Now(), toolTime)
	defer cancel()
	st := &j.started
	by := mcp.Caller{Organization: run.Organization, Workspace: run.Workspace, User: st.UserID, APIKey: st.APIKey, Run: run.ID, CorrelationID: run.ID}
	said, failed, err := s.Tools.CallTool(ctx, by, c.Tool, c.Arguments, steps.Key(run, step, 0))
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = domain.Errorf(domain.CodeTimeout, "the tool did not answer in time")
	}
	switch {
	case err != nil && repeatable:
		return out, mark(err)
	case err != nil:
		return out, err
	case failed:
		return out, domain.Errorf(domain.CodeWorkflow, "the tool failed: %s", said)
	}
	object := map[string]any{"text": said}
	var value any
	if json.Unmarshal([]byte(said), &value) == nil {
		object["json"] = value
	}
	out.output = object
	return out, nil
}

// plainJSON turns Go values into those that expressions see.
func plainJSON(v any) (out any, err error) {
	b, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}
