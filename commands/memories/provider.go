package memories

import (
	"context"

	"strata/domain"
	"strata/domain/memory"
)

// Provider is who keeps memories: Strata itself ("internal") or a service that a
// workspace has named. Package memoriestest holds what every provider must do. It is
// safe for concurrent use.
//
// Errors of all: NOT_FOUND for a memory that is not there, VALIDATION_ERROR naming
// fields, FORBIDDEN for an address that may not be called, AI_SERVICE_ERROR when the
// service answers that it failed, SERVICE_UNAVAILABLE when it cannot be reached,
// TIMEOUT when it does not answer in time, RATE_LIMIT_EXCEEDED.
type Provider interface {
	// Add keeps a memory. It can be got at once; a search may find it a moment later.
	Add(ctx context.Context, by memory.By, f memory.Fields) (memory.Found, error)
	Get(ctx context.Context, by memory.By, id string) (memory.Found, error)
	// Update lays a patch over the memory's fields, as memory.Revise does.
	Update(ctx context.Context, by memory.By, id string, patch domain.Doc) (memory.Found, error)
	Delete(ctx context.Context, by memory.By, id string) error
	// List answers with memories, the latest first, after the one of an id ("" for
	// the first page).
	List(ctx context.Context, by memory.By, s memory.Scope, limit int, after string) (memory.Page, error)
	// Search answers with memories that fit, the best first.
	Search(ctx context.Context, by memory.By, q memory.Query) (memory.Page, error)
}
