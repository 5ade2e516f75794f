package lease

import (
	"context"
	"encoding/json"

	"strata/domain"
	"strata/streams"
)

// State returns what the last holder of a lease has saved with it, nil for
// nothing. Whoever holds it may be further by now.
func State(ctx context.Context, store streams.Store, name string) (json.RawMessage, error) {
	e, err := last(ctx, store, domain.Stream(Category, name))
	return e.State, err
}
