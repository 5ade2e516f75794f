package knowledge_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	library "strata/commands/knowledge"
	"strata/domain"
	"strata/domain/knowledge"
)

// starting is an engine that is away for some searches, or fails them all.
type starting struct {
	away   int
	failed error
	asked  int
}

func (s *starting) Find(context.Context, domain.Principal, knowledge.Question) ([]knowledge.Found, error) {
	if s.asked++; s.asked <= s.away {
		return nil, domain.Errorf(domain.CodeUnavailable, "the engine starts")
	}
	return []knowledge.Found{{Name: "refunds"}}, s.failed
}

func TestFindPatiently(t *testing.T) {
	for name, c := range map[string]struct {
		engine starting
		code   domain.Code
		asked  int
	}{
		"there":         {starting{}, "", 1},
		"starts":        {starting{away: 3}, "", 4},
		"stays away":    {starting{away: 1000}, domain.CodeUnavailable, 4},
		"lasting fault": {starting{failed: domain.Errorf(domain.CodeNotFound, "no base")}, domain.CodeNotFound, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
				defer cancel()
				found, err := library.FindPatiently(ctx, &c.engine, domain.Principal{}, knowledge.Question{})
				if (err == nil) != (c.code == "") || err != nil && domain.CodeOf(err) != c.code || err == nil && len(found) != 1 || c.engine.asked != c.asked {
					t.Errorf("found %v, %v after %d searches", found, err, c.engine.asked)
				}
			})
		})
	}
}
