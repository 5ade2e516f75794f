package relay

import (
	"context"

	"strata/domain"
	"strata/streams"
	"strata/streams/lease"
)

// Published tells up to which position the relays of a name have published
// their categories, whoever of them does: as they last saved it.
func Published(ctx context.Context, store streams.Store, name string) (domain.Position, error) {
	state, err := lease.State(ctx, store, name)
	if err != nil {
		return 0, err
	}
	at, err := resumed(state, nil)
	return at.Position, err
}
