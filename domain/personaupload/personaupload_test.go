package personaupload_test

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/personaupload"
)

var (
	later    = domaintest.Now.Add(time.Hour)
	row      = personaupload.Row{File: "people.csv", Line: 2, Name: "Ada Example", Birthdate: "1985-12-10", Notes: "Calls back", Data: json.RawMessage(`{"city":"London"}`)}
	received = personaupload.Received{Token: "hash", Files: 1, ExpiresAt: later}
	parsed   = personaupload.RowsParsed{Chunk: 0, First: 0, Rows: []personaupload.Row{row}, Subject: "pup_1"}
	second   = personaupload.RowsParsed{Chunk: 1, First: 1, Rows: []personaupload.Row{row, row}, Subject: "pup_1"}
	prepared = personaupload.Prepared{Total: 3, Chunks: 2, Conflicts: 1}
	chosen   = personaupload.Confirmed{Resolution: personaupload.Skip}
	counts   = personaupload.Counts{Created: 1, Updated: 2, Skipped: 3, Conflicts: 4, Failed: 5}
	confirm  = personaupload.Confirm{Token: "hash", Resolution: personaupload.Skip}
)

func given(t *testing.T, facts ...domain.Fact) *domaintest.Scenario[personaupload.State] {
	t.Helper()
	return domaintest.Given(t, personaupload.Aggregate, facts...).Of("pup_1")
}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, personaupload.FactTypes(), received, second, prepared, chosen,
		personaupload.RowsApplied{Chunk: 1, Counts: counts}, personaupload.Completed{Counts: counts}, personaupload.Expired{})
}

func TestRowsComeInAndAreCounted(t *testing.T) {
	given(t).When(personaupload.Receive{Token: "hash", Files: 1, ExpiresAt: later}).Then(received)
	given(t).When(personaupload.Receive{}).ThenError(domain.CodeValidation, "token", "expires_at")
	given(t, received).When(personaupload.Receive{Token: "x", ExpiresAt: later}).ThenError(domain.CodeConflict)
	given(t, received).When(personaupload.AddRows{Rows: parsed.Rows}).Then(parsed)
	given(t, received, parsed).When(personaupload.AddRows{Rows: second.Rows}).Then(second)
	given(t, received, parsed).When(personaupload.AddRows{}).ThenNothing()
	given(t, received, parsed, second).When(personaupload.Prepare{Conflicts: 1}).Then(prepared)
	given(t, received).When(personaupload.Prepare{}).ThenError(domain.CodeValidation, "files")
	given(t, received, parsed, second, prepared).When(personaupload.AddRows{Rows: parsed.Rows}).ThenError(domain.CodeConflict)
	given(t, received, parsed, second, prepared).When(personaupload.Prepare{}).ThenError(domain.CodeConflict)
}

func TestConfirm(t *testing.T) {
	ready := []domain.Fact{received, parsed, second, prepared}
	given(t, ready...).When(confirm).Then(chosen)
	given(t, ready...).When(personaupload.Confirm{Token: "hash", Resolution: "merge"}).ThenError(domain.CodeValidation, "conflict_resolution")
	given(t, ready...).When(personaupload.Confirm{Token: "other", Resolution: personaupload.Skip}).ThenError(domain.CodeNotFound)
	given(t).When(confirm).ThenError(domain.CodeNotFound)
	given(t, received, parsed).When(confirm).ThenError(domain.CodeNotFound) // not all of it is there
	given(t, append(ready, chosen)...).When(confirm).ThenError(domain.CodeConflict)
	given(t, append(ready, personaupload.Expired{})...).When(confirm).ThenError(domain.CodeGone)
	over := received
	over.ExpiresAt = domaintest.Now // nobody has noticed yet
	given(t, over, parsed, second, prepared).When(confirm).ThenError(domain.CodeGone)
}

func TestRecord(t *testing.T) {
	running := []domain.Fact{received, parsed, second, prepared, chosen}
	one := personaupload.Counts{Created: 1}
	first := personaupload.RowsApplied{Chunk: 0, Counts: one}
	given(t, running...).When(personaupload.Record{Chunk: 0, Counts: one}).Then(first)
	given(t, running...).When(personaupload.Record{Chunk: 1}).ThenError(domain.CodeConflict)
	two := personaupload.Counts{Created: 1, Skipped: 1, Conflicts: 1}
	last := given(t, append(running, first)...).When(personaupload.Record{Chunk: 1, Counts: two})
	last.Then(personaupload.RowsApplied{Chunk: 1, Counts: two}, personaupload.Completed{Counts: one.Plus(two)})
	if s := last.State(); s.Status != personaupload.Done || s.Counts != one.Plus(two) || s.Counts.Rows() != 3 {
		t.Errorf("state %+v", s)
	}
	given(t, append(running, first)...).When(personaupload.Record{Chunk: 0, Counts: one}).ThenNothing()
	given(t, received, parsed).When(personaupload.Record{}).ThenError(domain.CodeConflict)
}

func TestExpire(t *testing.T) {
	over := received
	over.ExpiresAt = domaintest.Now
	given(t, over, parsed).When(personaupload.Expire{}).Then(personaupload.Expired{})
	given(t, received, parsed).When(personaupload.Expire{}).ThenNothing()
	given(t, over, parsed, prepared, chosen).When(personaupload.Expire{}).ThenNothing()
}

func TestErasedRowsKeepTheCounters(t *testing.T) {
	erased := domain.Erased{Type: parsed.EventType()}
	s := given(t, received, erased, erased, prepared).When(confirm).State()
	if s.Chunks != 2 || s.Rows != 3 || s.Status != personaupload.Processing {
		t.Errorf("state %+v", s)
	}
}

// Whatever is asked of an upload and in whatever order: it is confirmed once at
// most, its chunks are recorded once each and in their order, and it ends with
// the sum of them.
func TestUploadsEndOnceWithTheSumOfTheirChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), personaupload.Aggregate.New("pup_1")
		commands := []domain.Decider[personaupload.State]{
			personaupload.Receive{Token: "hash", ExpiresAt: log.Now.Add(time.Hour)}, personaupload.AddRows{Rows: []personaupload.Row{row}},
			personaupload.Prepare{}, confirm, personaupload.Expire{},
			personaupload.Record{Chunk: 0, Counts: personaupload.Counts{Created: 1}},
			personaupload.Record{Chunk: 1, Counts: personaupload.Counts{Updated: 1}},
		}
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			cmd := commands[rapid.IntRange(0, len(commands)-1).Draw(t, "command")]
			_ = domaintest.Do(log, personaupload.Aggregate, "pup_1", s, cmd) // refusals are part of it
		}
		confirmed, next, sum := 0, 0, personaupload.Counts{}
		for _, e := range log.Events {
			switch f := e.Fact.(type) {
			case personaupload.Confirmed:
				confirmed++
			case personaupload.RowsApplied:
				if f.Chunk != next || confirmed != 1 {
					t.Fatalf("chunk %d was applied, %d was next", f.Chunk, next)
				}
				next, sum = next+1, sum.Plus(f.Counts)
			case personaupload.Completed:
				if f.Counts != sum || next != s.Chunks || f.Rows() != s.Rows {
					t.Fatalf("completed with %+v after %+v", f.Counts, sum)
				}
			}
		}
		if confirmed > 1 {
			t.Fatalf("confirmed %d times", confirmed)
		}
	})
}
