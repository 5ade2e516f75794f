package projection_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/projection"
)

func discarded(p domain.Position) projection.EventDiscarded {
	return projection.EventDiscarded{Projection: "sessions", Position: p, Stream: "session-1", Type: "session.created.v1", Reason: "made by a bug"}
}

func TestDiscard(t *testing.T) {
	both := projection.Discard{Projection: "sessions", Reason: " made by a bug ", Events: []projection.Left{
		{Position: 7, Stream: "session-1", Type: "session.created.v1"}, {Position: 9, Stream: "session-1", Type: "session.created.v1"},
	}}
	domaintest.Given(t, projection.Aggregate).When(both).Then(discarded(7), discarded(9))
	domaintest.Given(t, projection.Aggregate, discarded(7)).When(both).Then(discarded(9))
	domaintest.Given(t, projection.Aggregate, discarded(7), discarded(9)).When(both).ThenNothing()
}

func TestDiscardWantsAReason(t *testing.T) {
	for _, reason := range []string{"", "  ", strings.Repeat("x", projection.MaxReason+1)} {
		domaintest.Given(t, projection.Aggregate).When(projection.Discard{Reason: reason}).ThenError(domain.CodeValidation, "reason")
	}
}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, projection.Aggregate.Facts, discarded(7))
}
