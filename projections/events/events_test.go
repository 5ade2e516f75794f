package events_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/internal/sqlite"
	"strata/projections"
	"strata/projections/events"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fact struct {
	Type   string `json:"-"`
	Name   string `json:"name,omitempty"`
	Secret string `json:"api_key,omitempty"`
	Nested []any  `json:"nested,omitempty"`
}

func (f fact) EventType() string { return f.Type }

type private struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
}

func (private) EventType() string     { return "session.event_added.v1" }
func (p private) DataSubject() string { return p.Subject }

// keys forgets on demand.
type keys struct{ erased bool }

func (*keys) Seal(dst []byte, _ streams.Subject, _, data []byte) ([]byte, error) {
	return append(dst, data...), nil
}
func (k *keys) Open(_ streams.Subject, _, sealed []byte) ([]byte, error) {
	if k.erased {
		return nil, streams.ErrErased
	}
	return sealed, nil
}

func facts() []domain.FactType {
	out := []domain.FactType{domain.FactOf[private]()}
	for _, name := range []string{"app.created.v1", "app.updated.v2", "appendix.created.v1", "budget.created.v1", "budget.reserved.v1",
		"claim.taken.v1", "inference.recorded.v1", "user.created.v1"} {
		out = append(out, domain.FactType{Name: name, Decode: func(data []byte) (domain.Fact, error) {
			inner, err := domain.FactOf[fact]().Decode(data)
			if err != nil {
				return nil, err
			}
			f := inner.(fact)
			f.Type = name
			return f, nil
		}})
	}
	return out
}

type world struct {
	testing.TB
	dir    string
	log    *projectionstest.Log
	codec  *streams.Codec
	keys   *keys
	runner *projections.Runner
	*events.Reader
	n int
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, dir: t.TempDir(), log: projectionstest.NewLog(), keys: &keys{}}
	upcast := streams.Upcast{From: "app.updated.v1", To: "app.updated.v2", Change: func(b []byte) ([]byte, error) { return b, nil }}
	var err error
	if w.codec, err = streams.NewCodec(facts(), []streams.Upcast{upcast}, w.keys); err != nil {
		t.Fatal(err)
	}
	w.runner = projectionstest.StartIn(t, w.dir, w.log, w.codec, 3, events.New(facts()))
	db, err := w.runner.Reader(events.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Reader = events.NewReader(db, w.log, w.codec, func(category, field string) bool { return category == "app" && field == "api_key" })
	return w
}

// given appends an event to "<category>-<id>", a second after the one before.
func (w *world) given(workspace, stream string, f domain.Fact) {
	w.Helper()
	w.n++
	meta := projectionstest.Meta(workspace, w.n)
	meta.Actor, meta.RequestID = "user_"+workspace, fmt.Sprintf("req_%d", w.n)
	w.log.Write(w, w.codec, domain.StreamID(stream), meta, f)
}

func (w *world) settle() {
	w.Helper()
	projectionstest.WaitFor(w, w.runner, w.log, events.Name)
}

func (w *world) positions(q events.Query) string {
	w.Helper()
	r, err := w.List(w.Context(), q)
	if err != nil {
		w.Fatal(err)
	}
	var out []string
	for _, e := range r.Items {
		out = append(out, fmt.Sprint(e.Position))
	}
	return strings.Join(out, " ")
}

func TestList(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "app-app_1", fact{Type: "app.created.v1"})
	w.given("ws_1", "budget-bud_1", fact{Type: "budget.created.v1"})
	w.given("ws_1", "budget-bud_1", fact{Type: "budget.reserved.v1"})
	w.given("ws_2", "app-app_2", fact{Type: "app.created.v1"})
	w.given("", "user-user_1", fact{Type: "user.created.v1"})
	w.given("ws_1", "claim-x", fact{Type: "claim.taken.v1"})
	w.given("ws_1", "app-app_1", fact{Type: "app.updated.v2"})
	w.given("ws_1", "appendix-x_1", fact{Type: "appendix.created.v1"})
	w.given("ws_1", "inference-i_1", fact{Type: "inference.recorded.v1"})
	w.n = 8
	if _, err := w.log.Append(t.Context(), "app-app_1", streams.Any, streams.Proposed{ID: domain.NewEventID(), Type: "app.updated.v1",
		Data: []byte("{}"), Meta: []byte(`{"workspace":"ws_1","occurred_at":"2026-01-02T03:04:15Z"}`)}); err != nil {
		t.Fatal(err)
	}
	w.settle()
	second := func(n int) time.Time { return projectionstest.Meta("", n).OccurredAt }
	for _, c := range []struct {
		name string
		ask  events.Query
		want string
	}{
		{"workspace", events.Query{}, "1 2 7 8 10"},
		{"newest first", events.Query{Page: query.Page{Desc: true, Limit: 2}}, "10 8"},
		{"with the organization's", events.Query{Scope: events.Scope{Workspace: "ws_1", Organization: "org_1"}}, "1 2 5 7 8 10"},
		{"exact type", events.Query{Types: []string{"app.created.v1"}}, "1"},
		{"any version", events.Query{Types: []string{"app.updated"}}, "7 10"},
		{"any of a category", events.Query{Types: []string{"app.*"}}, "1 7 10"},
		{"two types", events.Query{Types: []string{"app.created", "budget.*"}}, "1 2"},
		{"everything", events.Query{Types: []string{"*"}}, "1 2 7 8 10"},
		{"category", events.Query{Category: "app"}, "1 7 10"},
		{"subject", events.Query{Subject: "bud_1"}, "2"},
		{"actor", events.Query{Actor: "user_ws_1"}, "1 2 7 8"},
		{"request", events.Query{Request: "req_7"}, "7"},
		{"since", events.Query{Since: second(7)}, "7 8 10"},
		{"until", events.Query{Until: second(7)}, "1 2"},
		{"search", events.Query{Search: " App Created"}, "1"},
		{"search by resource", events.Query{Search: "BUD_1"}, "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.ask.Workspace == "" {
				c.ask.Workspace = "ws_1"
			}
			if got := w.positions(c.ask); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	if got, err := w.List(t.Context(), events.Query{}); err != nil || len(got.Items) > 0 {
		t.Errorf("without a scope %d events are shown, %v", len(got.Items), err)
	}
}

func TestPagesHoldTheWholeList(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.given("ws_1", fmt.Sprintf("app-app_%d", i), fact{Type: "app.created.v1"})
	}
	w.settle()
	for _, byID := range []bool{false, true} {
		q := events.Query{Scope: events.Scope{Workspace: "ws_1"}, Page: query.Page{Limit: 3, Desc: true}}
		var got []string
		for {
			r, err := w.List(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range r.Items {
				got = append(got, fmt.Sprint(e.Position))
				q.After = e.ID
			}
			if !r.HasMore {
				break
			}
			if !byID {
				q.Cursor, q.After = r.Next, ""
			}
		}
		if strings.Join(got, " ") != "10 9 8 7 6 5 4 3 2 1" {
			t.Errorf("got %v", got)
		}
	}
}

func TestDataIsReadFromTheLogWithSecretsMasked(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	scope := events.Scope{Workspace: "ws_1"}
	w.given("ws_1", "app-app_1", fact{Type: "app.created.v1", Name: "a", Secret: "hush", Nested: []any{map[string]any{"api_key": "hush", "x": 1}}})
	w.given("ws_1", "session-ses_1", private{Subject: "user_9", Text: "dear diary"})
	w.settle()
	list := func() []*events.Event {
		r, err := w.List(ctx, events.Query{Scope: scope, Data: true})
		if err != nil {
			t.Fatal(err)
		}
		return r.Items
	}
	all := list()
	if got, want := string(all[0].Data), `{"api_key":"********","name":"a","nested":[{"api_key":"********","x":1}]}`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(all[1].Data); got != `{"subject":"user_9","text":"dear diary"}` {
		t.Error(got)
	}
	w.keys.erased = true
	if got := string(list()[1].Data); got != `{"erased":true}` {
		t.Error(got)
	}
	e, err := w.Get(ctx, scope, all[0].ID)
	if err != nil || e.Summary != "app created" || e.Category() != "app" || e.Subject != "app_1" || e.Actor != "user_ws_1" || len(e.Data) == 0 {
		t.Errorf("%+v, %v", e, err)
	}
	for _, s := range []events.Scope{{Workspace: "ws_2"}, {}} {
		if _, err := w.Get(ctx, s, all[0].ID); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%v sees it: %v", s, err)
		}
	}
}

func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.Write(t.Context(), func(tx *sqlite.Tx) error {
		_, err := tx.Exec(t.Context(), statement)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRowsDoNotDependOnBatchesAndRestarts(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.given(fmt.Sprintf("ws_%d", i%3), fmt.Sprintf("app-app_%d", i%7), fact{Type: "app.created.v1"})
	}
	projectionstest.CheckRebuild(t, w.codec, events.New(facts()), w.log)
}

func BenchmarkRebuild(b *testing.B) {
	w := newWorld(b)
	const n = 50_000
	for i := range n {
		w.given(fmt.Sprintf("ws_%d", i%10), fmt.Sprintf("app-app_%d", i), fact{Type: "app.created.v1", Name: "some name"})
	}
	b.ResetTimer()
	for b.Loop() {
		if _, err := projections.Rebuild(b.Context(), w.log, w.codec, events.New(facts()), filepath.Join(b.TempDir(), "x.db")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "events/s")
}
