package knowledge

import (
	"context"
	"time"

	"strata/domain"
	"strata/domain/knowledge"
)

// Finder finds pieces of documents.
type Finder interface {
	Find(ctx context.Context, p domain.Principal, q knowledge.Question) ([]knowledge.Found, error)
}

// findAgain is how long a search waits for an engine that is away.
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
