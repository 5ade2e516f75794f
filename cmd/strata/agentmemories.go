package main

import (
	"context"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/memory"
	"strata/projections/memories"
	"strata/writeapi/agents"
)

// agentMemories lets agents remember. It implements agents.Memories.
type agentMemories struct{ *app }

const (
	// recallWait is how long recalling waits for the latest memories to be found.
	recallWait = 2 * time.Second
	// recallAmong is how many of a person's memories are looked at: those of other
	// agents are left out of them.
	recallAmong = 100
	// leastFit is how well a memory must fit to be recalled.
	leastFit = 0.2
)

func known(provider string) error {
	if provider != memory.Internal {
		return domain.NotFound("memory provider", provider)
	}
	return nil
}

// Recall implements agents.Memories.
func (m agentMemories) Recall(ctx context.Context, p domain.Principal, provider string, of agents.Whose, query string, limit int) ([]agents.Remembered, error) {
	if err := known(provider); err != nil {
		return nil, err
	}
	if err := m.caughtUp(ctx); err != nil {
		return nil, err
	}
	f := memories.Filter{Workspace: p.Workspace, UserID: of.Person}
	if of.Person == "" {
		f.AgentID = of.Agent
	}
	like, err := m.meaning().Of(ctx, p, query)
	if err != nil { // the call's record tells why
		like = memories.Meaning{}
	}
	found, _, err := m.models.memories.Search(ctx, f, query, like, leastFit, recallAmong)
	if err != nil {
		return nil, err
	}
	var out []agents.Remembered
	for _, r := range found {
		if r.UserID != of.Person || r.AgentID != "" && r.AgentID != of.Agent {
			continue
		}
		out = append(out, agents.Remembered{ID: r.ID, Content: r.Content, Since: domain.FormatTime(r.CreatedAt), Score: r.Score})
	}
	return out[:min(limit, len(out))], nil
}

// caughtUp waits until what was remembered a moment ago is found, too.
func (m agentMemories) caughtUp(ctx context.Context) error {
	head, err := m.store.Head(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, recallWait)
	defer cancel()
	_, err = m.models.runner.Wait(ctx, memories.Name, head)
	return err
}

// Remember implements agents.Memories.
func (m agentMemories) Remember(ctx context.Context, p domain.Principal, provider string, fields memory.Fields, key string) (string, error) {
	if err := known(provider); err != nil {
		return "", err
	}
	req := commands.Request{Principal: p, IdempotencyKey: key, Route: "agent remembers", Create: true}
	out, err := commands.Run[memory.State, struct{}](ctx, m.handler, memory.Aggregate, req, memory.Add{Provider: provider, Fields: fields}, nil)
	return out.ID, err
}
