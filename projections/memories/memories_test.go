package memories_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/memory"
	"strata/projections"
	"strata/projections/memories"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func raw(s string) json.RawMessage { return json.RawMessage(s) }

// now is a minute after the first event of a world.
var now = projectionstest.Meta("", 60).OccurredAt

// world is a model that runs over a log.
type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*memories.Queries
	second int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(slices.Concat(memory.FactTypes(), memory.Vectors.Facts), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
	w.runner = projectionstest.Start(t, w.log, codec, memories.Model{})
	db, err := w.runner.Reader(memories.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = memories.NewQueries(db, func() time.Time { return now })
	return w
}

func (w *world) given(workspace, id string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.TB, w.codec, memory.Aggregate.Stream(id), projectionstest.Meta(workspace, w.second), facts...)
}

func (w *world) caughtUp() {
	w.Helper()
	projectionstest.WaitFor(w.TB, w.runner, w.log, memories.Name)
}

func added(content string, change ...func(*memory.Fields)) memory.Added {
	a := memory.Added{Provider: memory.Internal, Fields: memory.Fields{Content: content, Type: memory.Semantic}}
	for _, c := range change {
		c(&a.Fields)
	}
	return a
}

func by(user string) func(*memory.Fields) { return func(f *memory.Fields) { f.UserID = user } }

func ids(items []memories.Memory) string {
	out := []string{}
	for _, m := range items {
		out = append(out, m.ID)
	}
	return fmt.Sprint(out)
}

func TestListAndGet(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "mem_1", added("Bob likes green tea", by("user_bob"), func(f *memory.Fields) {
		f.AgentID, f.SessionID, f.AppID, f.Importance = "agt_1", "ses_1", "app_1", new(0.9)
		f.Metadata = domain.Doc{"n": raw("1"), "on": raw("true"), "tags": raw(`["a","b"]`), "name": raw(`"x"`)}
	}))
	w.given("ws_1", "mem_2", added("Eve likes coffee", by("user_eve"), func(f *memory.Fields) { f.Type = memory.Episodic }))
	w.given("ws_1", "mem_3", added("gone soon", func(f *memory.Fields) { f.ExpiresAt = now }))
	w.given("ws_1", "mem_4", added("gone later", func(f *memory.Fields) { f.ExpiresAt = now.Add(time.Microsecond) }))
	w.given("ws_1", "mem_5", added("forgotten"), memory.Forgotten{})
	w.given("ws_2", "mem_6", added("of others, who like tea"))
	w.caughtUp()
	w.given("ws_1", "mem_2", memory.Revised{Changed: domain.Doc{"content": raw(`"Eve likes tea"`)}})
	w.caughtUp()

	in := func(change func(*memories.Filter)) memories.Filter {
		f := memories.Filter{Workspace: "ws_1"}
		change(&f)
		return f
	}
	metadata := func(key, value string) memories.Filter {
		return in(func(f *memories.Filter) { f.Metadata = domain.Doc{key: raw(value)} })
	}
	for name, c := range map[string]struct {
		filter memories.Filter
		page   query.Page
		want   string
	}{
		"all":             {memories.Filter{Workspace: "ws_1"}, query.Page{Desc: true}, "[mem_4 mem_2 mem_1]"},
		"after":           {memories.Filter{Workspace: "ws_1"}, query.Page{Desc: true, After: "mem_2"}, "[mem_1]"},
		"important first": {memories.Filter{Workspace: "ws_1"}, query.Page{Desc: true, Sort: "importance", Limit: 1}, "[mem_1]"},
		"agent":           {in(func(f *memories.Filter) { f.AgentID = "agt_1" }), query.Page{}, "[mem_1]"},
		"user":            {in(func(f *memories.Filter) { f.UserID = "user_eve" }), query.Page{}, "[mem_2]"},
		"session":         {in(func(f *memories.Filter) { f.SessionID = "ses_1" }), query.Page{}, "[mem_1]"},
		"app":             {in(func(f *memories.Filter) { f.AppID = "app_1" }), query.Page{}, "[mem_1]"},
		"type":            {in(func(f *memories.Filter) { f.Type = "episodic" }), query.Page{}, "[mem_2]"},
		"text":            {in(func(f *memories.Filter) { f.Text = "TEA likes" }), query.Page{}, "[mem_1 mem_2]"},
		"text, user":      {in(func(f *memories.Filter) { f.Text, f.UserID = "te", "user_eve" }), query.Page{}, "[mem_2]"},
		"old text":        {in(func(f *memories.Filter) { f.Text = "coffee" }), query.Page{}, "[]"},
		"number":          {metadata("n", "1.0"), query.Page{}, "[mem_1]"},
		"true":            {metadata("on", "true"), query.Page{}, "[mem_1]"},
		"true is no 1":    {metadata("n", "true"), query.Page{}, "[]"},
		"list":            {metadata("tags", `["a","b"]`), query.Page{}, "[mem_1]"},
		"absent":          {metadata("name", "null"), query.Page{}, "[mem_2 mem_4]"},
		"nothing":         {metadata("name", `"y"`), query.Page{}, "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := w.List(t.Context(), c.filter, c.page)
			if err != nil || ids(got.Items) != c.want {
				t.Errorf("got %s, %v, want %s", ids(got.Items), err, c.want)
			}
		})
	}
	for _, bad := range []memories.Filter{in(func(f *memories.Filter) { f.Type = "odd" }), metadata(`a"b`, "1")} {
		if _, err := w.List(t.Context(), bad, query.Page{}); domain.CodeOf(err) != domain.CodeValidation {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	m, err := w.Get(t.Context(), "ws_1", "mem_2")
	if err != nil || m.Content != "Eve likes tea" || m.Revision != 1 || !m.UpdatedAt.After(m.CreatedAt) {
		t.Errorf("memory %+v, %v", m, err)
	}
	for _, miss := range [][2]string{{"ws_2", "mem_1"}, {"ws_1", "mem_3"}, {"ws_1", "mem_5"}, {"ws_1", "nope"}} {
		if _, err := w.Get(t.Context(), miss[0], miss[1]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%v: %v", miss, err)
		}
	}
}

func TestSearch(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "mem_1", added("Bob likes green tea", by("user_bob")))
	w.given("ws_1", "mem_2", added("green tea", by("user_bob"), func(f *memory.Fields) { f.Metadata = domain.Doc{"k": raw("1")} }))
	w.given("ws_1", "mem_3", added("Eve likes coffee in the café, and green things that grow", by("user_eve")))
	w.given("ws_1", "mem_4", added("green tea of yesterday", func(f *memory.Fields) { f.ExpiresAt = now }))
	w.given("ws_2", "mem_5", added("green tea of others"))
	w.caughtUp()

	search := func(f memories.Filter, text string, threshold float64, limit int) ([]memories.Match, bool) {
		t.Helper()
		f.Workspace = "ws_1"
		found, more, err := w.Search(t.Context(), f, text, memories.Meaning{}, threshold, limit)
		if err != nil {
			t.Fatal(err)
		}
		return found, more
	}
	show := func(found []memories.Match, more bool) string {
		out := ""
		for _, m := range found {
			out += fmt.Sprintf("%s %.2f, ", m.ID, m.Score)
		}
		return fmt.Sprint(out, more)
	}
	for got, want := range map[string]string{
		show(search(memories.Filter{}, "Green TEA!", 0, 0)):                             "mem_2 1.00, mem_1 0.90, mem_3 0.38, false",
		show(search(memories.Filter{}, "green tea", 0.5, 0)):                            "mem_2 1.00, mem_1 0.90, false",
		show(search(memories.Filter{}, "green tea", 0, 1)):                              "mem_2 1.00, true",
		show(search(memories.Filter{UserID: "user_eve"}, "green", 0, 0)):                "mem_3 0.82, false",
		show(search(memories.Filter{Metadata: domain.Doc{"k": raw("1")}}, "tea", 0, 0)): "mem_2 0.90, false",
		show(search(memories.Filter{}, "CAFE", 0, 0)):                                   "mem_3 0.82, false",
		show(search(memories.Filter{}, "unheard", 0, 0)):                                "false",
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for name, bad := range map[string]struct {
		text      string
		threshold float64
	}{"no word": {"?!", 0}, "threshold": {"x", 1.5}} {
		if _, _, err := w.Search(t.Context(), memories.Filter{Workspace: "ws_1"}, bad.text, memories.Meaning{}, bad.threshold, 0); domain.CodeOf(err) != domain.CodeValidation {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A memory that holds all words is found among many newer ones that hold one.
func TestSearchFindsTheBestBehindACrowd(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "mem_best", added("red car"))
	for i := range 320 {
		w.given("ws_1", fmt.Sprintf("mem_r%d", i), added(fmt.Sprintf("red %d", i)))
		w.given("ws_1", fmt.Sprintf("mem_c%d", i), added(fmt.Sprintf("car %d", i)))
	}
	w.caughtUp()
	found, more, err := w.Search(t.Context(), memories.Filter{Workspace: "ws_1"}, "red car", memories.Meaning{}, 0, 1)
	if err != nil || !more || len(found) != 1 || found[0].ID != "mem_best" || found[0].Score != 1 {
		t.Errorf("found %+v, %v, %v", found, more, err)
	}
}

// Scores are between 0 and 1, whatever is asked and said, and best first.
func TestSearchScores(t *testing.T) {
	w := newWorld(t)
	said := rapid.SliceOfN(rapid.StringMatching(`([a-c]{1,2}[ ,é-]){1,6}x`), 30, 30).Example(1)
	for i, text := range said {
		w.given("ws_1", fmt.Sprintf("mem_%d", i), added(text))
	}
	w.caughtUp()
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[a-c]{1,2}( [a-cé"*()-]{1,2}){0,4}`).Draw(rt, "query")
		found, _, err := w.Search(t.Context(), memories.Filter{Workspace: "ws_1"}, text, memories.Meaning{}, 0, 100)
		if err != nil {
			rt.Fatal(err)
		}
		for i, m := range found {
			if m.Score <= 0 || m.Score > 1 || i > 0 && m.Score > found[i-1].Score {
				rt.Fatalf("score %v at %d", m.Score, i)
			}
		}
	})
}

// The rows of any history equal the fold of the aggregate.
func TestRowsEqualTheFold(t *testing.T) {
	w, round := newWorld(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // histories share the model, which is slow to start
		log, states := domaintest.NewLog(), map[string]*memory.State{}
		for range rapid.IntRange(1, 30).Draw(rt, "commands") {
			id := fmt.Sprintf("mem_%d_%d", round, rapid.IntRange(1, 2).Draw(rt, "memory"))
			if states[id] == nil {
				states[id] = memory.Aggregate.New(id)
			}
			var cmd domain.Decider[memory.State]
			switch rapid.IntRange(0, 6).Draw(rt, "command") {
			case 0, 1:
				cmd = memory.Add{Fields: memory.Fields{Content: "a", Importance: new(0.25), Metadata: domain.Doc{"k": raw("1")}}}
			case 2:
				cmd = memory.Forget{}
			default:
				field := rapid.SampledFrom([]string{"user_id", "metadata", "content", "importance", "expires_at"}).Draw(rt, "field")
				value := map[string]string{"user_id": `"user_bob"`, "metadata": `{"b":[1,{}]}`, "content": `"b"`, "importance": "1", "expires_at": `"2030-01-01T00:00:00Z"`}[field]
				if field != "content" && rapid.Bool().Draw(rt, "remove") {
					value = "null"
				}
				cmd = memory.Revise{Patch: domain.Doc{field: raw(value)}}
			}
			_ = domaintest.Do(log, memory.Aggregate, id, states[id], cmd) // a refusal is a fine outcome
		}
		for _, e := range log.Events {
			w.log.Write(t, w.codec, e.Stream, e.Meta, e.Fact)
		}
		w.caughtUp()
		for id, want := range states {
			got, err := w.Get(t.Context(), domaintest.Workspace, id)
			if !want.Exists || want.Deleted {
				if domain.CodeOf(err) != domain.CodeNotFound {
					rt.Fatalf("%s should not be there: %v", id, err)
				}
				continue
			}
			if err != nil || !reflect.DeepEqual(got.State, *want) {
				rt.Fatalf("row  %+v\nfold %+v\n%v", got.State, *want, err)
			}
		}
	})
}

func TestRebuildAndErasure(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		id := fmt.Sprintf("mem_%d", i%13)
		switch {
		case i < 13:
			w.given("ws_1", id, added("first", by("user_bob")))
		case i > 56:
			w.given("ws_1", id, memory.Forgotten{})
		default:
			w.given("ws_1", id, memory.Revised{Changed: domain.Doc{"content": raw(fmt.Sprintf(`"version %d"`, i))}})
		}
	}
	projectionstest.CheckRebuild(t, w.codec, memories.Model{}, w.log)
}

// erased is a key store whose keys are destroyed.
type erased struct{}

func (erased) Seal(dst []byte, _ streams.Subject, _, data []byte) ([]byte, error) {
	return append(dst, data...), nil
}
func (erased) Open(_ streams.Subject, _, sealed []byte) ([]byte, error) {
	return nil, streams.ErrErased
}

func TestErased(t *testing.T) {
	w := newWorld(t)
	codec, err := streams.NewCodec(slices.Concat(memory.FactTypes(), memory.Vectors.Facts), nil, erased{})
	if err != nil {
		t.Fatal(err)
	}
	w.codec = codec
	w.log = projectionstest.NewLog()
	secret := added("Bob likes tea", by("user_bob"))
	secret.Subject = "user_bob"
	w.given("ws_1", "mem_1", secret)
	w.runner = projectionstest.Start(t, w.log, codec, memories.Model{})
	db, err := w.runner.Reader(memories.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = memories.NewQueries(db, func() time.Time { return now })
	w.caughtUp()
	m, err := w.Get(t.Context(), "ws_1", "mem_1")
	if err != nil || m.Content != "" || m.UserID != "" || m.CreatedAt.IsZero() {
		t.Errorf("memory %+v, %v", m, err)
	}
	if found, _, err := w.Search(t.Context(), memories.Filter{Workspace: "ws_1"}, "tea", memories.Meaning{}, 0, 0); err != nil || len(found) > 0 {
		t.Errorf("found %+v, %v", found, err)
	}
}

func BenchmarkSearch(b *testing.B) {
	w := newWorld(b)
	for i := range 20_000 {
		w.given("ws_1", fmt.Sprintf("mem_%d", i), added(fmt.Sprintf("the user number %d likes thing %d of the long list", i, i%97)))
	}
	w.caughtUp()
	for b.Loop() {
		if _, _, err := w.Search(b.Context(), memories.Filter{Workspace: "ws_1"}, "which user likes thing 13", memories.Meaning{}, 0, 10); err != nil {
			b.Fatal(err)
		}
	}
}
