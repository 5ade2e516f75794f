package main

import (
	"context"

	"strata/commands/steps"
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
	a.agents = &agents.Service{Handler: a.handler, Resources: a.resources, Gateway: a.gateway, MCP: a.mcp, Store: a.store, Codec: a.codec,
		Transport: transport, RecordPayloads: a.cfg.Gateway.RecordPayloads, Live: a.live}
	return nil
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
