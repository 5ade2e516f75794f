package vectors_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
	"strata/projections/vectors"
)

func TestMain(m *testing.M) { clickhousetest.Main(m, func() error { return goleak.Find() }) }

// world is the shared table; every test has workspaces of its own in it.
type world struct {
	*testing.T
	db        *clickhouse.DB
	writer    *vectors.Writer
	queries   *vectors.Queries
	workspace string
	position  domain.Position
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := clickhousetest.Shared(t)
	if err := analytics.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return &world{T: t, db: db, writer: vectors.NewWriter(db, nil), queries: vectors.NewQueries(db, nil), workspace: clickhousetest.Unique("ws")}
}

func (w *world) apply(changes ...vectors.Change) {
	w.Helper()
	if err := w.writer.Apply(w.Context(), changes); err != nil {
		w.Fatal(err)
	}
}

// put makes the change that gives an item one piece of text.
func (w *world) put(index, item, text, metadata string, v ...float32) vectors.Change {
	w.Helper()
	w.position++
	row := vectors.Row{Model: "m", Text: text, Embedding: v}
	if metadata != "" {
		if err := json.Unmarshal([]byte(metadata), &row.Metadata); err != nil {
			w.Fatal(err)
		}
	}
	return vectors.Change{Position: w.position, Workspace: w.workspace, Index: index, Item: item, Rows: []vectors.Row{row}}
}

func (w *world) search(q vectors.Query) []vectors.Match {
	w.Helper()
	if q.Workspace == "" {
		q.Workspace = w.workspace
	}
	if q.Model == "" {
		q.Model = "m"
	}
	if q.Indexes == nil {
		q.Indexes = []string{"a"}
	}
	found, err := w.queries.Search(w.Context(), q)
	if err != nil {
		w.Fatal(err)
	}
	return found
}

// shown is what was found, with scores.
func shown(found []vectors.Match) string {
	var parts []string
	for _, m := range found {
		parts = append(parts, fmt.Sprintf("%s/%s.%d %.2f", m.Index, m.Item, m.Ordinal, m.Score))
	}
	return strings.Join(parts, ", ")
}

func (w *world) want(q vectors.Query, want string) {
	w.Helper()
	if got := shown(w.search(q)); got != want {
		w.Errorf("found %q, want %q", got, want)
	}
}

func TestSearchByMetric(t *testing.T) {
	w := newWorld(t)
	w.apply(w.put("a", "x", "x", "", 1, 0), w.put("a", "y", "y", "", 0, 2), w.put("a", "back", "b", "", -3, 0), w.put("b", "z", "z", "", 1, 1), w.put("a", "nothing", "n", "", 0, 0))
	w.want(vectors.Query{Vector: []float32{1, 0}}, "a/x.0 1.00, a/nothing.0 0.00, a/y.0 0.00, a/back.0 -1.00")
	w.want(vectors.Query{Vector: []float32{1, 0}, Indexes: []string{"a", "b"}, Limit: 2}, "a/x.0 1.00, b/z.0 0.71")
	w.want(vectors.Query{Vector: []float32{1, 0}, Metric: vectors.L2, Limit: 2}, "a/x.0 1.00, a/nothing.0 0.50")
	w.want(vectors.Query{Vector: []float32{1, 3}, Metric: vectors.InnerProduct, Limit: 2}, "a/y.0 6.00, a/x.0 1.00")
	least := 0.5
	w.want(vectors.Query{Vector: []float32{1, 0}, MinScore: &least}, "a/x.0 1.00")
	w.want(vectors.Query{Vector: []float32{1, 0}, Items: []string{"y"}}, "a/y.0 0.00")
}

// What cannot be compared, or is somebody else's, is not there.
func TestSearchSeesItsOwnOnly(t *testing.T) {
	w, others := newWorld(t), newWorld(t)
	other := w.put("a", "model", "x", "", 1, 0)
	other.Rows[0].Model = "another"
	w.apply(w.put("a", "mine", "x", "", 1, 0), other, w.put("a", "longer", "x", "", 1, 0, 0), w.put("b", "index", "x", "", 1, 0))
	others.apply(others.put("a", "theirs", "x", "", 1, 0))
	w.want(vectors.Query{Vector: []float32{1, 0}}, "a/mine.0 1.00")
	w.want(vectors.Query{Vector: []float32{1, 0}, Workspace: others.workspace}, "a/theirs.0 1.00")
	w.want(vectors.Query{Words: "x", Workspace: others.workspace}, "a/theirs.0 1.00")
	if n, err := w.queries.Count(t.Context(), others.workspace, "a", "b"); err != nil || n != 1 {
		t.Errorf("they have %d, %v", n, err)
	}
}

func TestSearchByWords(t *testing.T) {
	w := newWorld(t)
	w.apply(
		w.put("a", "both", "Refunds take five days in Zürich", "", 0, 1),
		w.put("a", "one", "Refunds are easy for everybody", "", 0, 1),
		w.put("a", "none", "The opening hours of the shop", "", 1, 0),
		w.put("a", "han", "退款需要五天", "", 0, 1),
	)
	found := w.search(vectors.Query{Words: "REFUNDS zurich"})
	if len(found) != 2 || found[0].Item != "both" || found[0].Score <= found[1].Score || found[0].Score > 1 || found[1].Words <= 0 {
		t.Errorf("found %s", shown(found))
	}
	if found := w.search(vectors.Query{Words: "退款"}); len(found) != 1 || found[0].Item != "han" {
		t.Errorf("found %s", shown(found))
	}
	if found := w.search(vectors.Query{Words: "unheard of?"}); len(found) != 1 || found[0].Item != "none" {
		t.Errorf("found %s", shown(found))
	}
	w.want(vectors.Query{Words: "?!"}, "")
}

// Mixed, a text that fits by its words comes before one that is only near.
func TestSearchMixes(t *testing.T) {
	w := newWorld(t)
	w.apply(w.put("a", "near", "something else", "", 1, 0), w.put("a", "said", "the error E1234 explained", "", 0.9, 0.436))
	if found := w.search(vectors.Query{Vector: []float32{1, 0}}); found[0].Item != "near" {
		t.Errorf("by nearness alone: %s", shown(found))
	}
	found := w.search(vectors.Query{Vector: []float32{1, 0}, Words: "e1234", VectorWeight: 0.5})
	if found[0].Item != "said" || math.Abs(found[0].Score-(0.5*found[0].Similarity+0.5*found[0].Words)) > 1e-9 {
		t.Errorf("mixed: %+v", found)
	}
}

func TestSearchRefuses(t *testing.T) {
	w := newWorld(t)
	_, err := w.queries.Search(t.Context(), vectors.Query{Workspace: w.workspace, Indexes: []string{"a"}, Limit: 1001, VectorWeight: 2, Metric: "odd", Words: "x"})
	if got := fields(err); !slices.Equal(got, []string{"top_k", "vector_weight", "metric"}) {
		t.Errorf("faults %v", got)
	}
}

func TestReplaceAndClear(t *testing.T) {
	w := newWorld(t)
	first := w.put("a", "x", "old", "", 1, 0)
	first.Rows = append(first.Rows, vectors.Row{Ordinal: 1, Model: "m", Text: "old too", Embedding: []float32{0, 1}})
	w.apply(first, w.put("a", "y", "y", "", 1, 1))
	again := w.put("a", "x", "new", "", 0, 1)
	again.Clear = true
	w.apply(again)
	w.want(vectors.Query{Vector: []float32{0, 1}}, "a/x.0 1.00, a/y.0 0.71")
	if p, err := w.queries.Pieces(t.Context(), w.workspace, "a", "x", -1, 10); err != nil || len(p) != 1 || p[0].Text != "new" {
		t.Errorf("pieces %+v, %v", p, err)
	}
	w.position++
	w.apply(vectors.Change{Position: w.position, Workspace: w.workspace, Index: "a", Clear: true})
	w.want(vectors.Query{Vector: []float32{0, 1}}, "")
	w.apply(first, again) // an old event comes again
	w.want(vectors.Query{Vector: []float32{0, 1}}, "")
}

// examples runs a property on a few drawn examples: each takes several statements.
func examples(n int, property func(*rapid.T)) {
	g := rapid.Custom(func(rt *rapid.T) bool { property(rt); return rapid.Bool().Draw(rt, "done") })
	for seed := range n {
		g.Example(seed)
	}
}

// A history that is cut and repeated anywhere leaves what it leaves when it comes
// once, whatever the engine has merged by then.
func TestRepeatedHistoriesLeaveTheSame(t *testing.T) {
	w := newWorld(t)
	examples(15, func(rt *rapid.T) {
		w.workspace = clickhousetest.Unique("ws")
		var history []vectors.Change
		for i := range rapid.IntRange(1, 12).Draw(rt, "changes") {
			item := rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "item")
			c := w.put("a", item, fmt.Sprint(i), "", 1, float32(i))
			c.Rows[0].Ordinal = uint32(rapid.IntRange(0, 2).Draw(rt, "ordinal"))
			switch rapid.IntRange(0, 4).Draw(rt, "kind") {
			case 0:
				c.Clear = true
			case 1:
				c.Clear, c.Rows = true, nil
			case 2:
				c.Clear, c.Rows, c.Item = true, nil, ""
			}
			history = append(history, c)
		}
		want := map[string]string{}
		for _, c := range history {
			if c.Clear {
				for key := range want {
					if c.Item == "" || strings.HasPrefix(key, c.Item+".") {
						delete(want, key)
					}
				}
			}
			for _, r := range c.Rows {
				want[fmt.Sprintf("%s.%d", c.Item, r.Ordinal)] = r.Text
			}
		}
		for at := 0; at < len(history); {
			end := rapid.IntRange(at+1, len(history)).Draw(rt, "end")
			w.apply(history[rapid.IntRange(0, at).Draw(rt, "from"):end]...)
			at = end
		}
		got := map[string]string{}
		for _, item := range []string{"x", "y"} {
			pieces, err := w.queries.Pieces(t.Context(), w.workspace, "a", item, -1, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range pieces {
				got[fmt.Sprintf("%s.%d", item, p.Ordinal)] = p.Text
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// Filters pass what a plain reading of them passes.
func TestFiltersMeanWhatTheySay(t *testing.T) {
	w := newWorld(t)
	stored := []string{`{}`, `{"n":1}`, `{"n":2.5}`, `{"n":"1"}`, `{"s":"a"}`, `{"s":"b","n":-3}`, `{"b":true}`, `{"b":false,"s":"a"}`, `{"s":["a","c"]}`, `{"s":null}`, `{"s":"true","n":true}`, `{"it's.\"x\"":"a"}`}
	var changes []vectors.Change
	for i, text := range stored {
		changes = append(changes, w.put("a", fmt.Sprintf("%02d", i), "x", text, 1))
	}
	w.apply(changes...)
	examples(60, func(rt *rapid.T) {
		f := anyFilter(rt, 3)
		want := []string{}
		for i, text := range stored {
			var doc map[string]any
			if err := json.Unmarshal([]byte(text), &doc); err != nil {
				t.Fatal(err)
			}
			if passes(f, doc) {
				want = append(want, fmt.Sprintf("%02d", i))
			}
		}
		got := []string{}
		for _, m := range w.search(vectors.Query{Vector: []float32{1}, Filter: f, Limit: 100}) {
			got = append(got, m.Item)
		}
		if !slices.Equal(got, want) {
			text, _ := json.Marshal(f)
			t.Fatalf("%s: passes %v, want %v", text, got, want)
		}
	})
}

func anyFilter(rt *rapid.T, depth int) *vectors.Filter {
	types := []string{"eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "and", "or"}
	if depth == 0 {
		types = types[:8]
	}
	f := &vectors.Filter{Type: rapid.SampledFrom(types).Draw(rt, "type")}
	if f.Type == "and" || f.Type == "or" {
		for range rapid.IntRange(1, 3).Draw(rt, "parts") {
			f.Filters = append(f.Filters, *anyFilter(rt, depth-1))
		}
		return f
	}
	f.Key = rapid.SampledFrom([]string{"n", "s", "b", `it's."x"`, "absent"}).Draw(rt, "key")
	values := []any{"a", "b", "1", "true", 1.0, 2.5, -3.0, true, false}
	switch f.Type {
	case "in", "nin":
		list := []any{}
		for range rapid.IntRange(0, 3).Draw(rt, "values") {
			list = append(list, rapid.SampledFrom(values).Draw(rt, "value"))
		}
		f.Value = list
	case "eq", "ne":
		f.Value = rapid.SampledFrom(append(values, nil)).Draw(rt, "value")
	default:
		f.Value = rapid.SampledFrom(values[:7]).Draw(rt, "value")
	}
	return f
}

// passes is the plain reading of a filter.
func passes(f *vectors.Filter, doc map[string]any) bool {
	v := doc[f.Key]
	equal := func(value any) bool {
		if list, ok := v.([]any); ok {
			_, text := value.(string)
			return text && slices.Contains(list, value)
		}
		return v == value
	}
	order := func() (int, bool) {
		switch want := f.Value.(type) {
		case float64:
			have, ok := v.(float64)
			return int(2 * (have - want)), ok
		case string:
			have, ok := v.(string)
			return strings.Compare(have, want), ok
		}
		return 0, false
	}
	c, ordered := order()
	switch f.Type {
	case "and":
		return !slices.ContainsFunc(f.Filters, func(p vectors.Filter) bool { return !passes(&p, doc) })
	case "or":
		return slices.ContainsFunc(f.Filters, func(p vectors.Filter) bool { return passes(&p, doc) })
	case "in", "nin":
		return slices.ContainsFunc(f.Value.([]any), equal) == (f.Type == "in")
	case "eq", "ne":
		return equal(f.Value) == (f.Type == "eq")
	case "gt":
		return ordered && c > 0
	case "gte":
		return ordered && c >= 0
	case "lt":
		return ordered && c < 0
	default:
		return ordered && c <= 0
	}
}

func TestErasedVectorsAreGone(t *testing.T) {
	w := newWorld(t)
	personal := w.put("a", "bob", "Bob", "", 1)
	personal.Rows[0].Subject = "user_bob"
	w.apply(personal, w.put("a", "other", "x", "", 1))
	if err := analytics.NewEraser(w.db).Erase(t.Context(), []string{w.workspace}, "user_bob"); err != nil {
		t.Fatal(err)
	}
	w.want(vectors.Query{Vector: []float32{1}}, "a/other.0 1.00")
	var n uint64
	if err := w.db.Conn().QueryRow(t.Context(), "SELECT count() FROM vectors WHERE subject = 'user_bob' AND workspace_id = {w:String}", ch.Named("w", w.workspace)).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows are left, %v", n, err)
	}
}

// The writer is done when its progress says so, and a second log given the same
// database begins at its own beginning.
func TestProgressIsOfOneLog(t *testing.T) {
	w := newWorld(t)
	mine, theirs := named("log_"+w.workspace), named("other_"+w.workspace)
	writer := vectors.NewWriter(w.db, mine)
	if at, err := writer.Resume(t.Context()); at != 0 || err != nil {
		t.Fatalf("begins at %d, %v", at, err)
	}
	if err := writer.Write(t.Context(), []domain.Event{{Position: 7}, {Position: 9}}); err != nil {
		t.Fatal(err)
	}
	if at, err := vectors.NewWriter(w.db, mine).Resume(t.Context()); at != 9 || err != nil {
		t.Errorf("resumes at %d, %v", at, err)
	}
	if at, err := vectors.NewWriter(w.db, theirs).Resume(t.Context()); at != 0 || err != nil {
		t.Errorf("the other log resumes at %d, %v", at, err)
	}
	if err := vectors.NewQueries(w.db, mine).Wait(t.Context(), 9); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := vectors.NewQueries(w.db, mine).Wait(ctx, 10); err == nil {
		t.Error("waited for what is not there")
	}
}

func named(name string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return name, nil }
}

// BenchmarkSearch looks through 100,000 vectors of 384 numbers.
func BenchmarkSearch(b *testing.B) {
	db := clickhousetest.Shared(b)
	if err := analytics.Migrate(b.Context(), db); err != nil {
		b.Fatal(err)
	}
	writer, queries := vectors.NewWriter(db, nil), vectors.NewQueries(db, nil)
	r := rand.New(rand.NewPCG(1, 2))
	vector := func() []float32 {
		v := make([]float32, 384)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	ws := clickhousetest.Unique("bench")
	for i := range 2000 {
		c := vectors.Change{Position: domain.Position(i + 1), Workspace: ws, Index: "a", Item: fmt.Sprintf("doc_%04d", i)}
		for k := range 50 {
			c.Rows = append(c.Rows, vectors.Row{Ordinal: uint32(k), Model: "m", Embedding: vector(),
				Text: fmt.Sprintf("the piece number %d of document %d says something about subject %d", k, i, i%97), Metadata: domain.Doc{"n": json.RawMessage(fmt.Sprint(i))}})
		}
		if err := writer.Apply(b.Context(), []vectors.Change{c}); err != nil {
			b.Fatal(err)
		}
	}
	filter, err := vectors.ParseFilter("filter", json.RawMessage(`{"type":"lt","key":"n","value":100}`))
	if err != nil {
		b.Fatal(err)
	}
	q := vectors.Query{Workspace: ws, Indexes: []string{"a"}, Model: "m", Vector: vector()}
	filtered, mixed := q, q
	filtered.Filter, mixed.Words = filter, "document about subject 13"
	for name, q := range map[string]vectors.Query{"nearest": q, "filtered": filtered, "mixed": mixed} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if found, err := queries.Search(b.Context(), q); err != nil || len(found) != 10 {
					b.Fatal(len(found), err)
				}
			}
		})
	}
}
