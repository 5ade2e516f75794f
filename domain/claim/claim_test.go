package claim_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/claim"
	"strata/domain/domaintest"
)

var (
	annTook  = claim.Taken{Kind: "app", Name: "Support", Owner: "app_ann"}
	bobTook  = claim.Taken{Kind: "app", Name: "Support", Owner: "app_bob"}
	annFreed = claim.Released{Owner: "app_ann"}
)

func take(owner, from string) claim.Take {
	return claim.Take{Kind: "app", Name: "Support", Owner: owner, From: from}
}

func TestTake(t *testing.T) {
	given := func(facts ...domain.Fact) *domaintest.Scenario[claim.State] {
		return domaintest.Given(t, claim.Aggregate, facts...)
	}
	given().When(take("app_ann", "")).Then(annTook)
	given(annTook).When(take("app_ann", "")).Then(annTook) // renewed
	given(annTook).When(take("app_bob", "")).ThenError(domain.CodeConflict)
	given(annTook).When(take("app_bob", "app_cid")).ThenError(domain.CodeConflict)
	given(annTook).When(take("app_bob", "app_ann")).Then(bobTook)
	given(annTook, annFreed).When(take("app_bob", "")).Then(bobTook)
}

func TestRelease(t *testing.T) {
	domaintest.Given(t, claim.Aggregate, annTook).When(claim.Release{Owner: "app_ann"}).Then(annFreed)
	domaintest.Given(t, claim.Aggregate, annTook).When(claim.Release{Owner: "app_bob"}).Then()
	domaintest.Given(t, claim.Aggregate, annTook, annFreed).When(claim.Release{Owner: "app_ann"}).Then()
	domaintest.Given(t, claim.Aggregate).When(claim.Release{Owner: "app_ann"}).Then()
}

// The id of a claim depends on kind, workspace and name, not on letter case,
// and on nothing else: two names that differ never meet, wherever the border
// between workspace and name is.
func TestID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringMatching(`[a-zA-Z0-9 ._-]{1,20}`)
		ws, name := word.Draw(t, "workspace"), word.Draw(t, "name")
		id := claim.ID("app", ws, name)
		if id != claim.ID("app", ws, strings.ToUpper(name)) || !strings.HasPrefix(id, "app_") {
			t.Fatalf("id %s", id)
		}
		if ws2, name2 := word.Draw(t, "other workspace"), word.Draw(t, "other name"); ws2 != ws || !claim.Same(name, name2) {
			if id == claim.ID("app", ws2, name2) {
				t.Fatal("two names share a claim")
			}
		}
		if id == claim.ID("prompt", ws, name) {
			t.Fatal("two kinds share a claim")
		}
	})
}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, claim.Aggregate.Facts,
		claim.Taken{Kind: "app", Name: "Assistant", Owner: "app_1"},
		claim.Released{Owner: "app_1"})
}
