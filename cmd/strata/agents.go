package main

import (
	"context"
	"errors"
	"fmt"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/workflowrun"
	"strata/internal/outbound"
	"strata/projections/agentruns"
	"strata/writeapi/agents"
)

// openAgents makes what starts and performs runs of agents.
func (a *app) openAgents(context.Context) error {
	guard, err := outbound.New(a.cfg.Outbound.Private)
	if err != nil {
		return err
	}
	transport := guard.Transport()
	a.onClose(func() error {
		transport.CloseIdleConnections()
		return nil
	})
	a.resources.Also(catalogue.Agents.Name, a.checkAgent)
	a.agents = &agents.Service{Knowledge: a.retriever(), Memories: agentMemories{a}, Workflows: agentWorkflows{a}, Handler: a.handler, Resources: a.resources, Gateway: a.gateway, MCP: a.mcp, Store: a.store, Codec: a.codec,
		Transport: transport, RecordPayloads: a.cfg.Gateway.RecordPayloads, Live: a.live}
	return nil
}

// checkAgent refuses agents that name what is not there. A base that is deleted
// later is for the model to hear of when it searches.
func (a *app) checkAgent(ctx context.Context, p domain.Principal, d domain.Doc) error {
	agent, err := domain.Decode[catalogue.Agent](d)
	if err != nil {
		return err
	}
	var f domain.Faults
	missing := false
	for i, base := range agent.DatasetIDs {
		there, err := a.hasBase(ctx, p.Workspace, base)
		if err != nil {
			return err
		}
		f.Add(!there, fmt.Sprintf("dataset_ids[%d]", i), "names no knowledge base: %q", base)
	}
	if agent.MemoryProvider != "" {
		_, err := a.keepers.Named(ctx, p.Workspace, agent.MemoryProvider)
		missing = errors.Is(err, domain.ErrNotFound)
		if err != nil && !missing && domain.CodeOf(err) != domain.CodeConflict { // one that is not enabled may be later
			return err
		}
	}
	f.Add(missing, "memory_provider", "names no provider of memories: %q", agent.MemoryProvider)
	return f.Err()
}

// performAgents makes an executor perform the runs of agents.
func (a *app) performAgents(e *steps.Executor) {
	steps.Add(e, a.agents.Machine(func(ctx context.Context, after string, limit int) ([]steps.Ref, error) {
		if after == "" { // the read model must know every run that the log has
			head, err := a.store.Head(ctx)
			if err == nil {
				_, err = a.models.runner.Wait(ctx, agentruns.Name, head)
			}
			if err != nil {
				return nil, err
			}
		}
		open, err := a.models.agentRuns.Open(ctx, after, limit)
		refs := make([]steps.Ref, len(open))
		for i, r := range open {
			refs[i] = steps.Ref(r)
		}
		return refs, err
	}))
}

// agentWorkflows runs the workflows that agents have as tools: what runs them is opened
// after what runs agents.
type agentWorkflows struct{ *app }

// Describe implements agents.Workflows.
func (w agentWorkflows) Describe(ctx context.Context, p domain.Principal, name string) (string, map[string]any, error) {
	return w.workflows.Describe(ctx, p, name)
}

// StartChild implements agents.Workflows.
func (w agentWorkflows) StartChild(ctx context.Context, req commands.Request, name string, child workflowrun.Started) (string, error) {
	return w.workflows.StartChild(ctx, req, name, child)
}

// CancelChild implements agents.Workflows.
func (w agentWorkflows) CancelChild(ctx context.Context, req commands.Request, reason string) error {
	return w.workflows.CancelChild(ctx, req, reason)
}
