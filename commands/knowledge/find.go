package knowledge

import (
	"context"
	"time"

	"strata/domain"
	"strata/domain/knowledge"
)

// Finder finds pieces of the documents of knowledge bases.
type Finder interface {
	// Find answers with the pieces that fit best. Errors: NOT_FOUND for a base that
	// the principal's workspace has not, VALIDATION_ERROR, the embedding model's,
	// SERVICE_UNAVAILABLE while the engine is away.
	Find(ctx context.Context, p domain.Principal, q knowledge.Question) ([]knowledge.Found, error)
}

// findAgain is the pause before an engine that was away is asked again.
const findAgain = 250 * time.Millisecond

// FindPatiently searches for a run, and waits for the engine that finds until ctx ends:
// after a restart runs go on sooner than it is there. The error is then what the engine
// said last.
func FindPatiently(ctx context.Context, f Finder, p domain.Principal, q knowledge.Question) ([]knowledge.Found, error) {
	for {
		found, err := f.Find(ctx, p, q)
		if err == nil || domain.CodeOf(err) != domain.CodeUnavailable {
			return found, err
		}
		select {
		case <-time.After(findAgain):
		case <-ctx.Done():
			return nil, err
		}
	}
}
