package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"strata/domain"
)

// Expert is what a model is told beforehand: a role with its knowledge and tools.
type Expert struct {
	ID          string
	Name        string
	Description string
	Context     string
	FileContext []map[string]any // name and content of documents
	Tools       []map[string]any // OpenAI's form, or its function alone
}

// Route is a model route that a router can choose.
type Route struct {
	Model       string // "flotorch/<name>"
	Description string
}

// Catalogue knows what completions can be told and routed to.
type Catalogue interface {
	// Expert is one expert of the principal's workspace; NOT_FOUND.
	Expert(ctx context.Context, p domain.Principal, id string) (Expert, error)
	// Experts are those of a workspace, the latest first, at most so many.
	Experts(ctx context.Context, workspace string, limit int) ([]Expert, error)
	// Routes are the model routes of a workspace that can be used.
	Routes(ctx context.Context, workspace string) ([]Route, error)
}

// maxExperts is how many experts a request may name.
const maxExperts = 16

// expertsOf finds the experts that a request names.
func (s *Service) expertsOf(ctx context.Context, p domain.Principal, ids []string) ([]Expert, error) {
	var f domain.Faults
	f.Add(len(ids) > maxExperts, "expert_ids", "must be at most %d experts", maxExperts)
	if err := f.Err(); err != nil {
		return nil, err
	}
	var out []Expert
	for i, id := range ids {
		e, err := s.Catalogue.Expert(ctx, p, id)
		if err != nil && domain.CodeOf(err) != domain.CodeNotFound {
			return nil, err
		}
		f.Add(err != nil, fmt.Sprintf("expert_ids[%d]", i), "there is no expert %q", id)
		out = append(out, e)
	}
	return out, f.Err()
}

// briefing is what experts tell a model, in the order given: each one's context
// first, then its files; and the tools they have. Of tools with one name, the
// first counts.
func briefing(experts []Expert) (system string, tools []json.RawMessage, err error) {
	var parts []string
	known := map[string]bool{}
	for _, e := range experts {
		if e.Context != "" {
			parts = append(parts, e.Context)
		}
		for _, file := range e.FileContext {
			text, err := document(file)
			if err != nil {
				return "", nil, err
			}
			parts = append(parts, text)
		}
		for i, t := range e.Tools {
			name, tool, err := toolOf(t)
			if err != nil {
				return "", nil, err
			}
			if name == "" {
				return "", nil, domain.Errorf(domain.CodeConflict, "tool %d of the expert %q has no name", i+1, e.Name)
			}
			if !known[name] {
				known[name] = true
				tools = append(tools, tool)
			}
		}
	}
	return strings.Join(parts, "\n\n"), tools, nil
}

// document shows a file of an expert. What is not named as expected is shown as
// it is, rather than left out.
func document(file map[string]any) (string, error) {
	name, _ := file["name"].(string)
	content, ok := file["content"].(string)
	if !ok {
		b, err := json.Marshal(file)
		return "Document:\n" + string(b), err
	}
	if name != "" {
		name = " " + name
	}
	return "Document" + name + ":\n" + content, nil
}

func toolOf(t map[string]any) (name string, tool json.RawMessage, err error) {
	function, wrapped := t["function"].(map[string]any)
	if !wrapped {
		function = t
		t = map[string]any{"type": "function", "function": function}
	}
	name, _ = function["name"].(string)
	tool, err = json.Marshal(t)
	return name, tool, err
}
