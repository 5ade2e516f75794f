package workflows

import (
	"context"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/workflowrun"
	"strata/streams"
)

// AgentEnds tells runs of workflows how the runs of agents have ended that they wait
// for. It implements logbus.Reactor.
type AgentEnds struct{ s *Service }

// AgentEnds returns the reactor of a service.
func (s *Service) AgentEnds() AgentEnds { return AgentEnds{s} }

// Name implements logbus.Reactor.
func (AgentEnds) Name() string { return "agent-ends" }

// Filter implements logbus.Reactor.
func (AgentEnds) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{agentrun.Aggregate.Category},
		Types: []string{agentrun.Cancelled{}.EventType(), agentrun.Completed{}.EventType(), agentrun.Failed{}.EventType()}}
}

// Handle implements logbus.Reactor. A run that knows already stays as it is.
func (a AgentEnds) Handle(ctx context.Context, e domain.Event) error {
	ref := steps.Ref{ID: e.Stream.Key(), Organization: e.Meta.Organization, Workspace: e.Meta.Workspace}
	type told struct {
		parent string
		end    workflowrun.ChildEnded
	}
	t, err := commands.Load(ctx, a.s.Handler, agentrun.Aggregate, domain.System(ref.Organization, ref.Workspace), ref.ID, func(l *commands.Loaded[agentrun.State]) told {
		st := l.State
		if st.Parent == nil {
			return told{}
		}
		out := told{st.Parent.Run, endOfAgent(st)}
		out.end.Step, out.end.Run = st.Parent.Step, ref.ID
		return out
	})
	if err != nil || t.parent == "" {
		return err
	}
	return a.s.tellParent(ctx, ref, t.parent, t.end)
}

// endOfAgent is how a run of an agent has ended, as runs of workflows know it.
func endOfAgent(st *agentrun.State) workflowrun.ChildEnded {
	out := workflowrun.ChildEnded{Status: workflowrun.Status(st.Status), Outputs: st.Output, Usage: workflowrun.Usage(st.Usage), Cost: st.Cost}
	if st.Status != agentrun.IsCompleted {
		out.Error = &workflowrun.Failure{Code: string(st.Code), Message: st.Reason}
	}
	return out
}
