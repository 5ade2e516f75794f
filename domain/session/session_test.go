package session_test

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/session"
)

// The history most scenarios begin with.
var (
	created = session.Created{
		AppName: "helpdesk", AgentName: "triage", UserID: "user_bob",
		State: domain.Doc{"step": raw(`1`), "lang": raw(`"en"`)}, Metadata: domain.Doc{"plan": raw(`"pro"`)},
		Subject: "user_bob",
	}
	added = session.EventAdded{
		ID: domaintest.ID("sev", 1), Sequence: 1, Author: "user", Type: session.Message,
		Content: raw(`{"text":"hello"}`), StateDelta: domain.Doc{"step": raw(`2`)}, InvocationID: "inv_1", Subject: "user_bob",
	}
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestGolden(t *testing.T) {
	domaintest.Golden(t, session.FactTypes(), created, added, session.Ended{}, session.Deleted{})
}

func TestErased(t *testing.T) {
	s := domaintest.Fold(session.Aggregate, "ses_1",
		domain.Erased{Type: created.EventType()}, domain.Erased{Type: added.EventType()}, domain.Erased{Type: added.EventType()})
	if s.Status != session.Active || s.EventCount != 2 || s.UserID != "" || len(s.State) != 0 {
		t.Errorf("an erased session must keep its counters and nothing else: %+v", s)
	}
}

func TestStreamKey(t *testing.T) {
	for uid, key := range map[string]string{"ses_0123": "ses_0123", "my-session": "ws_1.my-session"} {
		if got := session.StreamKey("ws_1", uid); got != key {
			t.Errorf("StreamKey(%q) = %q, want %q", uid, got, key)
		}
		if got := session.UIDOf(key); got != uid {
			t.Errorf("UIDOf(%q) = %q, want %q", key, got, uid)
		}
	}
}

// Whatever is asked, in whatever order: sequences are dense, the state is the
// merge of all deltas, and a session that is over stays over.
func TestAnyCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), session.Aggregate.New("ses_1")
		var adds int64
		want := domain.Doc{}
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			before := *s
			err := domaintest.Do(log, session.Aggregate, "ses_1", s, anyCommand(t))
			if err != nil && domain.CodeOf(err) == domain.CodeInternal {
				t.Fatalf("refused without a reason a client could read: %v", err)
			}
			if s.EventCount > before.EventCount {
				adds++
				f := log.Events[len(log.Events)-1].Fact.(session.EventAdded)
				want = want.Merge(f.StateDelta)
				if f.Sequence != adds {
					t.Fatalf("event %d has sequence %d", adds, f.Sequence)
				}
				if before.Status != session.Active || before.Deleted {
					t.Fatalf("event added to a session that was %q (deleted: %v)", before.Status, before.Deleted)
				}
			}
			if s.EventCount != adds {
				t.Fatalf("event count %d after %d events", s.EventCount, adds)
			}
			if len(want.Changed(s.State))+len(s.State.Changed(want)) > 0 {
				t.Fatalf("state %s, want %s", s.State, want)
			}
		}
	})
}

func anyCommand(t *rapid.T) domain.Decider[session.State] {
	switch rapid.SampledFrom([]string{"create", "add", "add", "add", "add", "close", "delete"}).Draw(t, "command") {
	case "create":
		return session.Create{UserID: rapid.SampledFrom([]string{"", "user_bob"}).Draw(t, "user")}
	case "close":
		return session.Close{}
	case "delete":
		return session.Delete{}
	}
	delta := domain.Doc{}
	for k, v := range rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"1", "2", "null"})).Draw(t, "delta") {
		delta[k] = raw(v)
	}
	return session.AddEvent{
		Author:  rapid.SampledFrom([]string{"user", "agent", ""}).Draw(t, "author"),
		Content: raw(rapid.SampledFrom([]string{`{}`, `{"text":"x"}`, `[]`, ``}).Draw(t, "content")), StateDelta: delta,
	}
}

func BenchmarkAddEvent(b *testing.B) {
	s := domaintest.Fold(session.Aggregate, "ses_1", created)
	env := domaintest.NewLog().Env()
	cmd := session.AddEvent{Author: "user", Content: raw(`{"text":"hello"}`), StateDelta: domain.Doc{"step": raw(`3`)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cmd.Decide(env, s); err != nil {
			b.Fatal(err)
		}
	}
}
