package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"strata/projections"
	"strata/projections/agentruns"
	"strata/projections/budgets"
	"strata/projections/connectors"
	"strata/projections/conversations"
	identitymodel "strata/projections/identity"
	knowledgemodel "strata/projections/knowledge"
	"strata/projections/memories"
	"strata/projections/personas"
	"strata/projections/resources"
	"strata/projections/secrets"
	"strata/projections/states"
	"strata/projections/timers"
	"strata/projections/trainings"
	"strata/projections/workflows"
)

// role says which parts of Strata a process runs. `strata serve` runs all of
// them; an installation that has outgrown one machine divides them among
// processes that share an event log.
type role uint8

const (
	// writing takes commands and calls models. It keeps the read models that
	// this needs: who may call, which budgets apply, where models are.
	writing role = 1 << iota
	// reading answers queries from read models of its own, shows the console and
	// holds live connections.
	reading
	// projecting runs what must run once: reactors, timers and the writer of
	// ClickHouse. Of several processes one does, the others stand by.
	projecting
	// relaying publishes the log to Kafka; of several processes one does.
	relaying

	everything = writing | reading | projecting | relaying
)

// has tells whether any of some roles is among these.
func (r role) has(any role) bool { return r&any != 0 }

// String names a role as its subcommand is called.
func (r role) String() string {
	switch r {
	case writing:
		return "write"
	case reading:
		return "read"
	case projecting:
		return "project"
	case relaying:
		return "relay"
	}
	return "serve"
}

// Rooms of operations: what a role can serve.
const (
	roomWrite = "write"
	roomRead  = "read"
	roomAdmin = "admin" // every process tells of itself
)

// serves tells whether a role answers the operations of a room.
func (r role) serves(room string) bool {
	switch room {
	case roomWrite:
		return r.has(writing)
	case roomRead:
		return r.has(reading)
	}
	return true
}

// models are the read models that a role keeps. Everybody needs to know who calls.
func (r role) models() []projections.Model {
	needed := map[string]role{
		workflows.Name: reading | projecting,
		agentruns.Name: reading | projecting, identitymodel.Name: everything, budgets.Name: writing | reading | projecting, resources.Name: everything &^ relaying,
		states.Arguments().Name: reading | projecting, states.Insights().Name: reading | projecting,
		connectors.Name: writing | reading | projecting, timers.Name: projecting, conversations.Name: reading | projecting, personas.Name: writing | projecting,
		knowledgemodel.Name: writing | reading | projecting,
		memories.Name:       reading | projecting, // who embeds looks for what is alike
		trainings.Name:      reading | projecting,
		secrets.Name:        everything &^ relaying,
	}
	return slices.DeleteFunc(allModels(), func(m projections.Model) bool {
		by, known := needed[m.Name()]
		return known && !r.has(by) || !known && !r.has(reading)
	})
}

// serveRole is the subcommand of a role.
func serveRole(r role) func(context.Context, []string, io.Writer) error {
	return func(ctx context.Context, args []string, out io.Writer) error { return serveAs(ctx, r, args, out) }
}

// errOwnLog says that a role cannot run over a log that nobody else can reach.
var errOwnLog = errors.New("the event log would be this process's own: set STRATA_EVENTSTORE_URL to the log that all of them share, " +
	"or run `strata serve`, which is every role in one process")

// permitted tells whether a role can run on its own.
func (a *app) permitted() error {
	if a.role != everything && a.local != nil {
		return fmt.Errorf("strata %s: %w", a.role, errOwnLog)
	}
	return nil
}

// callers is the read model that says who may call, where other processes write
// what is in it.
func (a *app) callers() string {
	if a.local != nil {
		return ""
	}
	return identitymodel.Name
}

// relies are the read models that commands and model calls act on, where other
// processes write what is in them.
func (a *app) relies() []string {
	if a.local != nil || !a.role.has(writing) {
		return nil
	}
	return []string{identitymodel.Name, budgets.Name, knowledgemodel.Name, resources.Name, secrets.Name}
}
