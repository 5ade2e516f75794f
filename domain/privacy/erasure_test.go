package privacy_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/privacy"
)

var erased = privacy.SubjectErased{Subject: "alice", Workspace: domaintest.Workspace, Reason: "asked for it",
	Keys: []uuid.UUID{uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")}, Places: []string{"read models", "analytics"}}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, privacy.FactTypes(), erased, privacy.PlacesAdded{Places: []string{"read models@b"}}, privacy.PlaceErased{Place: "analytics"}, privacy.ErasureCompleted{Events: 7, Unsealed: 2})
}

func TestErase(t *testing.T) {
	domaintest.Given(t, privacy.Erasures).When(privacy.Erase(erased)).Then(erased)
	domaintest.Given(t, privacy.Erasures, erased).When(privacy.Erase(erased)).Then()
	domaintest.Given(t, privacy.Erasures).When(privacy.Erase{Reason: strings.Repeat("x", 2001)}).ThenError(domain.CodeValidation, "subject", "reason")
}

func TestAnErasureIsCompleteWhenEveryPlaceIs(t *testing.T) {
	half := []domain.Fact{erased, privacy.PlaceErased{Place: "analytics"}}
	domaintest.Given(t, privacy.Erasures, erased).When(privacy.Report{Place: "analytics"}).Then(half[1])
	domaintest.Given(t, privacy.Erasures, half...).When(privacy.Report{Place: "analytics"}).Then()
	domaintest.Given(t, privacy.Erasures, half...).When(privacy.Complete{}).ThenError(domain.CodeConflict)
	all := append(half, privacy.PlaceErased{Place: "read models"})
	domaintest.Given(t, privacy.Erasures, all...).When(privacy.Complete{Events: 1}).Then(privacy.ErasureCompleted{Events: 1})
	if s := domaintest.Fold(privacy.Erasures, "era_1", all...); s.Status() != privacy.Pending {
		t.Errorf("status %s before it is completed", s.Status())
	}
	all = append(all, privacy.ErasureCompleted{Events: 1})
	if s := domaintest.Fold(privacy.Erasures, "era_1", all...); s.Status() != privacy.Completed || len(s.Open()) > 0 || s.By != domaintest.Actor {
		t.Errorf("erasure %+v", s)
	}
	domaintest.Given(t, privacy.Erasures, all...).When(privacy.Complete{}).Then()
	domaintest.Given(t, privacy.Erasures).When(privacy.Complete{}).ThenError(domain.CodeNotFound)
}

func TestAnErasureReachesWhoJoinedMeanwhile(t *testing.T) {
	all := []string{"analytics", "states@b", "read models"}
	added := privacy.PlacesAdded{Places: []string{"states@b"}}
	domaintest.Given(t, privacy.Erasures, erased).When(privacy.Widen{Places: all}).Then(added)
	domaintest.Given(t, privacy.Erasures, erased, added).When(privacy.Widen{Places: all}).ThenNothing()
	domaintest.Given(t, privacy.Erasures, erased, privacy.PlaceErased{Place: "analytics"}).When(privacy.Widen{Places: []string{"analytics"}}).ThenNothing()
	domaintest.Given(t, privacy.Erasures, erased, added, privacy.PlaceErased{Place: "analytics"}, privacy.PlaceErased{Place: "read models"}).
		When(privacy.Complete{}).ThenError(domain.CodeConflict)
	domaintest.Given(t, privacy.Erasures, erased, privacy.ErasureCompleted{}).When(privacy.Widen{Places: all}).ThenNothing()
	domaintest.Given(t, privacy.Erasures).When(privacy.Widen{Places: all}).ThenError(domain.CodeNotFound)
}
