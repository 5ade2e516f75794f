// Package adminapi is the face of the installation itself: what those who run
// Strata ask of it and tell it to do, whoever's data is concerned. Its operations
// are refused to everybody else, whatever permissions they hold (see
// httpx.Op.Installation).
package adminapi

import (
	"context"

	"strata/commands"
	"strata/domain"
	"strata/domain/node"
	"strata/internal/backup"
	"strata/internal/httpx"
	"strata/projections"
	"strata/projections/events"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/logbus"
)

// Deps is what the operations work with.
type Deps struct {
	Models    *projections.Runner
	Reactors  Reactors
	Handler   *commands.Handler
	Store     streams.Store
	Log       EventLog            // nil when the log is a server's: then there is nothing to look after
	Scavenges *embedded.Scavenges // nil with Log
	Codec     *streams.Codec
	Backups   *backup.Keeper
	// Nodes lists the processes that share the log.
	Nodes func(ctx context.Context) ([]node.State, error)
	// View shows an event with its secrets masked.
	View func(*domain.Event) (*events.Event, error)
}

// Reactors are those that act on events, as things to look after. While they run
// at another node there are none.
type Reactors interface {
	Status(ctx context.Context) ([]logbus.Status, error)
	ParkedOf(ctx context.Context, name string, q logbus.ParkedQuery) ([]logbus.Parked, error)
	Retry(ctx context.Context, name string, stream domain.StreamID) (logbus.Retried, error)
	Obeyed(ctx context.Context, at domain.Position) error
}

// EventLog is the event log as a thing to look after.
type EventLog interface {
	// Stats returns its figures; streams.ErrClosed when it is closed.
	Stats() (embedded.Stats, error)
	// Err tells why it takes no events; nil while it does.
	Err() error
}

// API registers the operations.
type API struct {
	Deps
	r *httpx.Router
}

// Register adds every operation to a router.
func Register(r *httpx.Router, d Deps) {
	a := &API{Deps: d, r: r}
	a.projections()
	a.parked()
	a.backups()
	a.eventLog()
	a.nodes()
}
