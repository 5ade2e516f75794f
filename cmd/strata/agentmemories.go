package main

import (
	"context"
	"time"

	"strata/domain"
	"strata/domain/memory"
	"strata/internal/httpx"
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

// Recall implements agents.Memories.
func (m agentMemories) Recall(ctx context.Context, p domain.Principal, provider string, of agents.Whose, query string, limit int) ([]agents.Remembered, error) {
	keeper, err := m.keepers.Named(ctx, p.Workspace, provider)
	if err != nil {
		return nil, err
	}
	if provider == memory.Internal {
		if err := m.caughtUp(ctx); err != nil {
			return nil, err
		}
	}
	q := memory.Query{Text: query, Limit: recallAmong, Least: leastFit, Scope: memory.Scope{UserID: of.Person}}
	if of.Person == "" {
		q.AgentID = of.Agent
	}
	found, err := keeper.Search(ctx, rememberedBy(ctx, p, of.Agent, ""), q)
	if err != nil {
		return nil, err
	}
	var out []agents.Remembered
	for _, r := range found.Items {
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
	keeper, err := m.keepers.Named(ctx, p.Workspace, provider)
	if err != nil {
		return "", err
	}
	made, err := keeper.Add(ctx, rememberedBy(ctx, p, fields.AgentID, key), fields)
	return made.ID, err
}

// rememberedBy says on whose behalf an agent remembers. The run is what its work is
// correlated by.
func rememberedBy(ctx context.Context, p domain.Principal, agent, key string) memory.By {
	run := httpx.From(ctx).CorrelationID
	return memory.By{Principal: p, Agent: agent, Run: run, CorrelationID: run, IdempotencyKey: key}
}
