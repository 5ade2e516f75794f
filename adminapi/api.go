// Package adminapi is the face of the installation itself: what those who run
// Strata ask of it and tell it to do, whoever's data is concerned. Its operations
// are refused to everybody else, whatever permissions they hold (see
// httpx.Op.Installation).
package adminapi

import (
	"strata/commands"
	"strata/domain"
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
	Reactors  *logbus.Router
	Handler   *commands.Handler
	Store     streams.Store
	Log       EventLog
	Scavenges *embedded.Scavenges
	Codec     *streams.Codec
	Backups   *backup.Keeper
	// View shows an event with its secrets masked.
	View func(*domain.Event) (*events.Event, error)
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
}
