package sessions_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/session"
	"strata/projections"
	"strata/projections/history"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/projections/sessions"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// world is a model that runs over a log.
type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*sessions.Queries
	second int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(session.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
	w.runner = projectionstest.Start(t, w.log, codec, sessions.Model{})
	db, err := w.runner.Reader(sessions.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = sessions.NewQueries(db)
	return w
}

func (w *world) given(workspace, uid string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.TB, w.codec, session.Aggregate.Stream(session.StreamKey(workspace, uid)), projectionstest.Meta(workspace, w.second), facts...)
}

func (w *world) caughtUp() *world {
	w.Helper()
	projectionstest.WaitFor(w.TB, w.runner, w.log, sessions.Name)
	return w
}

func event(n int64, kind session.EventKind) session.EventAdded {
	return session.EventAdded{ID: fmt.Sprintf("sev_%d", n), Sequence: n, Author: "user", Type: kind, Content: raw(`{"text":"hi"}`)}
}

func uids(r query.Result[sessions.Session]) (out []string) {
	for _, s := range r.Items {
		out = append(out, s.UID)
	}
	return out
}

func TestListAndGet(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "ses_1", session.Created{AppName: "shop", AgentName: "seller", UserID: "user_bob",
		State: domain.Doc{"n": raw("1")}, Metadata: domain.Doc{"k": raw(`"v"`)}})
	w.given("ws_1", "mine", session.Created{AppName: "shop"})
	w.given("ws_2", "mine", session.Created{AppName: "other"})
	w.given("ws_1", "ses_3", session.Created{UserID: "user_bob"}, session.Ended{})
	w.given("ws_1", "ses_4", session.Created{}, session.Deleted{})
	w.caughtUp()

	for name, c := range map[string]struct {
		filter sessions.Filter
		page   query.Page
		want   []string
	}{
		"all, newest first": {sessions.Filter{Workspace: "ws_1"}, query.Page{Desc: true}, []string{"ses_3", "mine", "ses_1"}},
		"after one":         {sessions.Filter{Workspace: "ws_1"}, query.Page{Desc: true, After: "mine"}, []string{"ses_1"}},
		"first two":         {sessions.Filter{Workspace: "ws_1"}, query.Page{Desc: true, Limit: 2}, []string{"ses_3", "mine"}},
		"app":               {sessions.Filter{Workspace: "ws_1", AppName: "shop"}, query.Page{Desc: true}, []string{"mine", "ses_1"}},
		"agent":             {sessions.Filter{Workspace: "ws_1", AgentName: "seller"}, query.Page{}, []string{"ses_1"}},
		"user":              {sessions.Filter{Workspace: "ws_1", UserID: "user_bob"}, query.Page{}, []string{"ses_1", "ses_3"}},
		"closed":            {sessions.Filter{Workspace: "ws_1", Status: "closed"}, query.Page{}, []string{"ses_3"}},
		"other tenant":      {sessions.Filter{Workspace: "ws_2"}, query.Page{}, []string{"mine"}},
		"nobody":            {sessions.Filter{}, query.Page{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.List(t.Context(), c.filter, c.page)
			if err != nil || fmt.Sprint(uids(got)) != fmt.Sprint(c.want) {
				t.Errorf("got %v, %v, want %v", uids(got), err, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		filter sessions.Filter
		page   query.Page
	}{
		"status": {sessions.Filter{Workspace: "ws_1", Status: "odd"}, query.Page{}},
		"sort":   {sessions.Filter{Workspace: "ws_1"}, query.Page{Sort: "odd"}},
		"after":  {sessions.Filter{Workspace: "ws_2"}, query.Page{After: "ses_1"}},
		"cursor": {sessions.Filter{Workspace: "ws_1"}, query.Page{Cursor: "odd"}},
	} {
		if _, err := w.List(t.Context(), c.filter, c.page); domain.CodeOf(err) != domain.CodeValidation {
			t.Errorf("bad %s: %v", name, err)
		}
	}
	s, err := w.Get(t.Context(), "ws_1", "ses_1")
	if err != nil || s.AppName != "shop" || string(s.State.State["n"]) != "1" || string(s.Metadata["k"]) != `"v"` || s.CreatedAt.IsZero() || s.Revision != 0 {
		t.Errorf("session %+v, %v", s, err)
	}
	if s, err := w.Get(t.Context(), "ws_2", "mine"); err != nil || s.AppName != "other" {
		t.Errorf("session %+v, %v", s, err)
	}
	for _, miss := range [][2]string{{"ws_2", "ses_1"}, {"ws_1", "ses_4"}, {"ws_1", "nope"}} {
		if _, err := w.Get(t.Context(), miss[0], miss[1]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%v: %v", miss, err)
		}
	}
}

func TestEvents(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "ses_1", session.Created{}, event(1, session.Message), event(2, session.ToolCall), event(3, session.Message))
	w.given("ws_1", "ses_2", session.Created{}, session.EventAdded{ID: "sev_x", Sequence: 1, Content: raw(`{}`), StateDelta: domain.Doc{"a": raw("null")}})
	w.caughtUp()
	list := func(kind session.EventKind, p query.Page) string {
		r, err := w.Events(t.Context(), "ws_1", "ses_1", kind, p)
		if err != nil {
			t.Fatal(err)
		}
		var seq []int64
		for _, e := range r.Items {
			seq = append(seq, e.Sequence)
		}
		return fmt.Sprint(seq, r.HasMore)
	}
	for got, want := range map[string]string{
		list("", query.Page{}):                       "[1 2 3] false",
		list("", query.Page{Limit: 2}):               "[1 2] true",
		list("", query.Page{After: "sev_1"}):         "[2 3] false",
		list(session.Message, query.Page{}):          "[1 3] false",
		list("", query.Page{Desc: true, Limit: 1}):   "[3] true",
		list(session.Message, query.Page{Offset: 1}): "[3] false",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	s, events, err := w.GetWithEvents(t.Context(), "ws_1", "ses_1", 2)
	if err != nil || s.EventCount != 3 || len(events) != 2 || events[0].Sequence != 2 || string(events[1].Content) != `{"text":"hi"}` || events[1].At.IsZero() {
		t.Errorf("session %+v with %+v, %v", s, events, err)
	}
	if _, err := w.Events(t.Context(), "ws_2", "ses_1", "", query.Page{}); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("events of another tenant's session: %v", err)
	}
	if _, err := w.Events(t.Context(), "ws_1", "ses_1", "odd", query.Page{}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("events of an odd type: %v", err)
	}
	if _, err := w.Events(t.Context(), "ws_1", "ses_1", "", query.Page{After: "sev_x"}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("events after another session's: %v", err)
	}
}

// The rows of any history equal the fold of the aggregate.
func TestRowsEqualTheFold(t *testing.T) {
	w, round := newWorld(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // histories share the model, which is slow to start
		log, states := domaintest.NewLog(), map[string]*session.State{}
		for range rapid.IntRange(1, 30).Draw(rt, "commands") {
			uid := fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"ses_", "mine"}).Draw(rt, "session"), round)
			key := session.StreamKey(domaintest.Workspace, uid)
			if states[uid] == nil {
				states[uid] = session.Aggregate.New(key)
			}
			var cmd domain.Decider[session.State]
			switch rapid.IntRange(0, 9).Draw(rt, "command") {
			case 0, 1:
				cmd = session.Create{AppName: "shop", State: domain.Doc{"a": raw("0")}}
			case 2:
				cmd = session.Close{}
			case 3:
				cmd = session.Delete{}
			default:
				delta := domain.Doc{"a": raw(rapid.SampledFrom([]string{"1", "null"}).Draw(rt, "delta"))}
				cmd = session.AddEvent{Author: "user", Content: raw(`{}`), StateDelta: delta}
			}
			_ = domaintest.Do(log, session.Aggregate, key, states[uid], cmd) // a refusal is a fine outcome
		}
		for _, e := range log.Events {
			w.log.Write(t, w.codec, e.Stream, e.Meta, e.Fact)
		}
		w.caughtUp()
		for uid, want := range states {
			got, err := w.Get(t.Context(), domaintest.Workspace, uid)
			if want.Status == "" || want.Deleted {
				if domain.CodeOf(err) != domain.CodeNotFound {
					rt.Fatalf("%s should not be there: %v", uid, err)
				}
				continue
			}
			want.Last = session.EventAdded{}
			if a, b := fmt.Sprintf("%+v", got.State), fmt.Sprintf("%+v", *want); err != nil || a != b {
				rt.Fatalf("row  %s\nfold %s\n%v", a, b, err)
			}
			events, err := w.Events(t.Context(), domaintest.Workspace, uid, "", query.Page{Limit: 100})
			if err != nil || int64(len(events.Items)) != want.EventCount {
				rt.Fatalf("%d events of %d, %v", len(events.Items), want.EventCount, err)
			}
			kept := rapid.IntRange(1, 40).Draw(rt, "kept")
			past := sessions.PastAggregate(kept)
			then := past.New(session.StreamKey(domaintest.Workspace, uid))
			for _, e := range log.Events {
				if e.Stream == past.Stream(session.StreamKey(domaintest.Workspace, uid)) {
					past.Apply(then, e)
				}
			}
			shown := events.Items[max(0, len(events.Items)-kept):]
			if a, b := fmt.Sprintf("%+v", then.Events), fmt.Sprintf("%+v", shown); a != b {
				rt.Fatalf("the past has\n%s, the rows\n%s", a, b)
			}
		}
	})
}

func TestRebuild(t *testing.T) {
	w := newWorld(t)
	for i := range 40 {
		uid := fmt.Sprintf("ses_%d", i%7)
		switch {
		case i < 7:
			w.given("ws_1", uid, session.Created{UserID: "user_bob"})
		case i == 39:
			w.given("ws_1", uid, session.Deleted{})
		default:
			w.given("ws_1", uid, session.EventAdded{ID: fmt.Sprintf("sev_%d", i), Sequence: int64(i / 7), Content: raw(`{}`), StateDelta: domain.Doc{"i": raw(fmt.Sprint(i))}})
		}
	}
	projectionstest.CheckRebuild(t, w.codec, sessions.Model{}, w.log)
}

// erasing is a key store whose keys are all destroyed at once.
type erasing struct{ gone bool }

func (e *erasing) Seal(dst []byte, _ streams.Subject, _, data []byte) ([]byte, error) {
	return append(dst, data...), nil
}
func (e *erasing) Open(_ streams.Subject, _, sealed []byte) ([]byte, error) {
	if e.gone {
		return nil, streams.ErrErased
	}
	return sealed, nil
}

func TestErasure(t *testing.T) {
	for name, when := range map[string]string{"before": "rebuilt", "in between": "live"} {
		t.Run(name, func(t *testing.T) {
			keys := &erasing{}
			codec, err := streams.NewCodec(session.FactTypes(), nil, keys)
			if err != nil {
				t.Fatal(err)
			}
			w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
			first := event(1, session.Message)
			first.Subject = "user_bob"
			second := event(2, session.Message)
			second.Subject = "user_bob"
			w.given("ws_1", "ses_1", session.Created{UserID: "user_bob", State: domain.Doc{"a": raw("1")}, Subject: "user_bob"}, first)
			dir := t.TempDir()
			run := func(t *testing.T) {
				r, err := projections.Open(t.Context(), projections.Config{Dir: dir, Store: w.log, Codec: codec, NoSync: true}, sessions.Model{})
				if err != nil {
					t.Fatal(err)
				}
				w.runner = r
				db, err := r.Reader(sessions.Name)
				if err != nil {
					t.Fatal(err)
				}
				w.Queries = sessions.NewQueries(db)
				if err := r.Start(); err != nil {
					t.Fatal(err)
				}
				w.caughtUp()
			}
			if when == "live" {
				run(t)
				if err := w.runner.Stop(); err != nil {
					t.Fatal(err)
				}
			}
			keys.gone = true
			w.given("ws_1", "ses_1", second)
			run(t)
			defer func() { _ = w.runner.Stop() }()
			s, events, err := w.GetWithEvents(t.Context(), "ws_1", "ses_1", 10)
			if err != nil || s.UserID != "" || len(s.State.State) != 0 || s.EventCount != 2 || len(events) != 2 {
				t.Fatalf("session %+v with %+v, %v", s, events, err)
			}
			past, err := history.At(t.Context(), history.NewReader(w.log, codec, time.Now),
				history.Subject[sessions.Past]{Aggregate: sessions.PastAggregate(10), Key: "ses_1"}, "at", history.Point{Revision: 2})
			if err != nil || past.State.UserID != "" || len(past.State.State.State) != 0 || len(past.State.Events) != 2 {
				t.Fatalf("the past %+v, %v", past, err)
			}
			for _, e := range append(events, past.State.Events...) {
				if !e.Erased || e.Author != "" || string(e.Content) != "{}" || e.ID == "" {
					t.Errorf("event %+v", e)
				}
			}
		})
	}
}

func BenchmarkRebuild(b *testing.B) {
	w := newWorld(b)
	const events = 21_000
	for i := range events / 21 {
		uid := fmt.Sprintf("ses_%d", i)
		w.given("ws_1", uid, session.Created{UserID: "user_bob"})
		for n := range 20 {
			w.given("ws_1", uid, event(int64(n+1), session.Message))
		}
	}
	for b.Loop() {
		if _, err := projections.Rebuild(b.Context(), w.log, w.codec, sessions.Model{}, filepath.Join(b.TempDir(), "rebuilt.db")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(events*b.N)/b.Elapsed().Seconds(), "events/s")
}
