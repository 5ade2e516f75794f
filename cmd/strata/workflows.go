package main

import (
	"context"
	"fmt"

	"strata/commands"
	"strata/commands/steps"
	"strata/internal/outbound"
	knowledgemodel "strata/projections/knowledge"
	model "strata/projections/workflows"
	"strata/writeapi/agents"
	"strata/writeapi/workflows"
)

// openWorkflows makes what starts and performs runs of workflows.
func (a *app) openWorkflows(context.Context) error {
	guard, err := outbound.New(a.cfg.Outbound.Private)
	if err != nil {
		return fmt.Errorf("outbound.private: %w", err)
	}
	transport := guard.Transport()
	a.onClose(func() error {
		transport.CloseIdleConnections()
		return nil
	})
	a.workflows = &workflows.Service{Handler: a.handler, Resources: a.resources, Gateway: a.gateway, Store: a.store, Codec: a.codec,
		Library: a.retriever(), Tools: a.agents, Agents: agentRunner{a.agents}, Connectors: a.connectors, Transport: transport, Secrets: a.vault, RecordPayloads: a.cfg.Gateway.RecordPayloads, Live: a.live}
	return nil
}

// agentRunner runs agents for nodes of workflows.
type agentRunner struct{ service *agents.Service }

// StartChild implements workflows.Agents.
func (r agentRunner) StartChild(ctx context.Context, req commands.Request, child workflows.AgentChild) (string, error) {
	out, err := r.service.Start(ctx, req, agents.Ask{Agent: child.Agent, Version: child.Version, Input: child.Input, Variables: child.Variables,
		SessionID: child.SessionID, TimeoutMS: child.TimeoutMS, Parent: &child.Parent, Depth: child.Depth, Subject: child.Subject})
	return out.ID, err
}

// CancelChild implements workflows.Agents.
func (r agentRunner) CancelChild(ctx context.Context, req commands.Request, reason string) error {
	_, err := r.service.Cancel(ctx, req, reason)
	return err
}

// openRuns lists runs of workflows that there is something left to do for.
func (a *app) openRuns(ctx context.Context, after string, limit int) ([]steps.Ref, error) {
	open, err := a.models.workflows.Open(ctx, after, limit)
	refs := make([]steps.Ref, len(open))
	for i, r := range open {
		refs[i] = steps.Ref(r)
	}
	return refs, err
}

// performing runs an executor when the read models know every run that the log has:
// it begins with those that are open.
func (a *app) performing(e *steps.Executor) func(context.Context) error {
	return func(ctx context.Context) error {
		head, err := a.store.Head(ctx)
		for _, name := range []string{knowledgemodel.Name, model.Name} {
			if err == nil {
				_, err = a.models.runner.Wait(ctx, name, head)
			}
		}
		if err != nil {
			return err
		}
		return e.Run(ctx)
	}
}
