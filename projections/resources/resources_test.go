package resources_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/projections/resources"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	page   = &domain.KindSpec{Name: "page", Prefix: "page", Key: "name", Search: []string{"name", "text", "tags"}, Filters: []string{"tags", "public", "size"}, Sorts: []string{"size"}, Versions: []string{"text"}}
	widget = &domain.KindSpec{Name: "big_widget", Prefix: "wid"}
	specs  = []*domain.KindSpec{page, widget}
)

type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*resources.Queries
	second int
}

func newCodec(t testing.TB) *streams.Codec {
	t.Helper()
	codec, err := streams.NewCodec(append(domain.KindFactTypes(page.Name), domain.KindFactTypes(widget.Name)...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func newWorld(t testing.TB) *world {
	w := &world{TB: t, log: projectionstest.NewLog(), codec: newCodec(t)}
	r, err := projections.Open(t.Context(), projections.Config{Dir: t.TempDir(), Store: w.log, Codec: w.codec, NoSync: true}, resources.New(specs))
	if err != nil {
		t.Fatal(err)
	}
	db, err := r.Reader(resources.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.runner, w.Queries = r, resources.NewQueries(db, specs)
	r.OnCommit(w.Committed)
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// given writes a fact of "<workspace>/<kind>/<id>": verb and document.
func (w *world) given(what, verb, doc string) {
	w.Helper()
	part := strings.Split(what, "/")
	w.second++
	var d domain.Doc
	if doc != "" {
		if err := json.Unmarshal([]byte(doc), &d); err != nil {
			w.Fatal(err)
		}
	}
	w.log.Write(w, w.codec, domain.Stream(part[1], part[2]), projectionstest.Meta(part[0], w.second),
		domain.KindFact{Kind: part[1], Verb: verb, Doc: d, Changelog: "because"})
}

func (w *world) settle() {
	w.Helper()
	projectionstest.WaitFor(w, w.runner, w.log, resources.Name)
}

func (w *world) ids(q resources.Query) []string {
	w.Helper()
	r, err := w.List(w.Context(), q)
	if err != nil {
		w.Fatal(err)
	}
	ids := []string{}
	for _, d := range r.Items {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestGet(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.given("ws_1/page/page_1", domain.VerbCreated, `{"name":"Start","text":"one"}`)
	w.given("ws_1/page/page_1", domain.VerbUpdated, `{"text":"two"}`)
	w.settle()
	d, err := w.Get(ctx, "page", "ws_1", "page_1")
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "Start" || d.Key != "Start" || d.Revision != 1 || d.Version != 2 || d.Organization != "org_1" || d.CreatedBy != "user_1" ||
		!d.CreatedAt.Equal(projectionstest.Meta("", 1).OccurredAt) || !d.UpdatedAt.Equal(projectionstest.Meta("", 2).OccurredAt) {
		t.Errorf("%+v", d)
	}
	if got, want := string(d.Doc), `{"name":"Start","text":"two"}`; got != want {
		t.Errorf("document %s, want %s", got, want)
	}
	if byKey, err := w.GetByKey(ctx, "page", "ws_1", "Start"); err != nil || byKey.ID != "page_1" {
		t.Errorf("by key: %v, %v", byKey, err)
	}
	for name, get := range map[string]func() (*resources.Document, error){
		"another tenant":        func() (*resources.Document, error) { return w.Get(ctx, "page", "ws_2", "page_1") },
		"another kind":          func() (*resources.Document, error) { return w.Get(ctx, "big_widget", "ws_1", "page_1") },
		"absent":                func() (*resources.Document, error) { return w.Get(ctx, "page", "ws_1", "page_9") },
		"absent key":            func() (*resources.Document, error) { return w.GetByKey(ctx, "page", "ws_1", "start") },
		"another tenant by key": func() (*resources.Document, error) { return w.GetByKey(ctx, "page", "ws_2", "Start") },
		"empty key":             func() (*resources.Document, error) { return w.GetByKey(ctx, "page", "ws_1", "") },
	} {
		if _, err := get(); !errors.Is(err, domain.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheCacheFollowsCommits(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1/page/page_1", domain.VerbCreated, `{"name":"n0"}`)
	for i := range 50 {
		w.settle()
		d, err := w.Get(t.Context(), "page", "ws_1", "page_1")
		if err != nil || d.Name != fmt.Sprintf("n%d", i) {
			t.Fatalf("after update %d: %+v, %v", i, d, err)
		}
		w.given("ws_1/page/page_1", domain.VerbUpdated, fmt.Sprintf(`{"name":"n%d"}`, i+1))
	}
	w.given("ws_1/page/page_1", domain.VerbDeleted, "")
	w.settle()
	if _, err := w.Get(t.Context(), "page", "ws_1", "page_1"); !errors.Is(err, domain.ErrNotFound) {
		t.Error(err)
	}
}

func TestListFiltersSortsAndSearches(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1/page/page_1", domain.VerbCreated, `{"name":"Alpha","text":"the quick brown fox","tags":["red","blue"],"public":true,"size":30,"status":"draft"}`)
	w.given("ws_1/page/page_2", domain.VerbCreated, `{"name":"Beta","text":"the lazy dog","tags":["blue"],"public":false,"size":4,"status":"published"}`)
	w.given("ws_1/page/page_3", domain.VerbCreated, `{"name":"Gamma","text":"Crème brûlée","size":200,"status":"published"}`)
	w.given("ws_2/page/page_4", domain.VerbCreated, `{"name":"Alpha","text":"the quick brown fox of a neighbour"}`)
	w.given("ws_1/big_widget/wid_1", domain.VerbCreated, `{"name":"fox"}`)
	w.given("ws_1/page/page_5", domain.VerbCreated, `{"name":"Doomed","text":"fox"}`)
	w.given("ws_1/page/page_5", domain.VerbDeleted, "")
	w.given("ws_1/page/page_2", domain.VerbUpdated, `{"text":"the active dog"}`)
	w.settle()
	for _, c := range []struct {
		name string
		ask  resources.Query
		want string
	}{
		{"all", resources.Query{}, "page_1 page_2 page_3"},
		{"newest first", resources.Query{Page: query.Page{Desc: true}}, "page_3 page_2 page_1"},
		{"updated last", resources.Query{Page: query.Page{Sort: "updated_at", Desc: true}}, "page_2 page_3 page_1"},
		{"by number", resources.Query{Page: query.Page{Sort: "size"}}, "page_2 page_1 page_3"},
		{"by key", resources.Query{Page: query.Page{Sort: "name", Desc: true}}, "page_3 page_2 page_1"},
		{"status", resources.Query{Filters: map[string]string{"status": "published"}}, "page_2 page_3"},
		{"list contains", resources.Query{Filters: map[string]string{"tags": "red"}}, "page_1"},
		{"boolean", resources.Query{Filters: map[string]string{"public": "false"}}, "page_2"},
		{"number", resources.Query{Filters: map[string]string{"size": "200"}}, "page_3"},
		{"two filters", resources.Query{Filters: map[string]string{"tags": "blue", "status": "draft"}}, "page_1"},
		{"by its name", resources.Query{Filters: map[string]string{"name": "Gamma"}}, "page_3"},
		{"words", resources.Query{Search: "quick fox"}, "page_1"},
		{"beginning of a word", resources.Query{Search: "bro"}, "page_1"},
		{"accents and case", resources.Query{Search: "CREME brulee"}, "page_3"},
		{"tags", resources.Query{Search: "blue", Page: query.Page{Desc: true}}, "page_2 page_1"},
		{"what was updated", resources.Query{Search: "active"}, "page_2"},
		{"what was replaced", resources.Query{Search: "lazy"}, ""},
		{"operators are words", resources.Query{Search: `fox" OR "dog`}, ""},
		{"a kind without search fields", resources.Query{Kind: "big_widget", Search: "fox"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.ask.Workspace = "ws_1"
			if c.ask.Kind == "" {
				c.ask.Kind = "page"
			}
			if got := strings.Join(w.ids(c.ask), " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	_, err := w.List(t.Context(), resources.Query{Kind: "page", Workspace: "ws_1", Filters: map[string]string{"text": "x"}})
	if !errors.Is(err, domain.ErrValidation) {
		t.Errorf("a field that is no filter: %v", err)
	}
}

func TestVersions(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	w.given("ws_1/page/page_1", domain.VerbCreated, `{"name":"n","text":"one"}`)
	w.settle()
	w.given("ws_1/page/page_1", domain.VerbUpdated, `{"name":"m"}`)
	w.given("ws_1/page/page_1", domain.VerbUpdated, `{"text":"two"}`)
	w.given("ws_1/page/page_1", domain.VerbUpdated, `{"text":"three"}`)
	w.settle()
	all, err := w.Versions(ctx, "page", "ws_1", "page_1")
	if err != nil || len(all) != 3 || all[0].Number != 3 || all[0].Doc.String("text") != "three" || all[2].Changelog != "because" {
		t.Fatalf("%+v, %v", all, err)
	}
	if v, err := w.Version(ctx, "page", "ws_1", "page_1", 2); err != nil || v.Doc.String("text") != "two" || v.By != "user_1" {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := w.Version(ctx, "page", "ws_1", "page_1", 4); !errors.Is(err, domain.ErrNotFound) {
		t.Error(err)
	}
	if _, err := w.Versions(ctx, "page", "ws_2", "page_1"); !errors.Is(err, domain.ErrNotFound) {
		t.Error(err)
	}
}

func TestAnUpdateOfWhatWasNeverCreatedIsParked(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1/page/page_1", domain.VerbUpdated, `{"name":"m"}`)
	w.given("ws_1/page/page_2", domain.VerbCreated, `{"name":"m"}`)
	w.settle()
	parked, err := w.runner.Parked(t.Context())
	if err != nil || len(parked) != 1 || parked[0].Stream != "page-page_1" {
		t.Errorf("%+v, %v", parked, err)
	}
	if got := w.ids(resources.Query{Kind: "page", Workspace: "ws_1"}); !slices.Equal(got, []string{"page_2"}) {
		t.Error(got)
	}
}

// history writes a random life of some resources through the real deciders'
// facts: created, changed, restored and deleted in any order.
func history(t testing.TB, rt *rapid.T, codec *streams.Codec) (*projectionstest.Log, map[string]*domain.Resource) {
	log, alive := projectionstest.NewLog(), map[string]*domain.Resource{}
	fold := domain.KindAggregate(page)
	for i := range rapid.IntRange(1, 60).Draw(rt, "events") {
		id := fmt.Sprintf("page_%d", rapid.IntRange(0, 6).Draw(rt, "id"))
		r := alive[id]
		text := rapid.SampledFrom([]string{`"one"`, `"two"`, "null"}).Draw(rt, "text")
		f := domain.KindFact{Kind: "page", Verb: domain.VerbUpdated, Doc: domain.Doc{"text": []byte(text), "size": fmt.Append(nil, i)}}
		switch {
		case r != nil && r.Deleted:
			continue
		case r == nil:
			r = fold.New(id)
			alive[id] = r
			f.Verb, f.Doc = domain.VerbCreated, domain.Doc{"name": []byte(`"` + id + `"`), "text": []byte(`"zero"`)}
		case rapid.IntRange(0, 9).Draw(rt, "dice") == 0:
			f = domain.KindFact{Kind: "page", Verb: domain.VerbDeleted}
		}
		meta := projectionstest.Meta("ws_1", i)
		log.Write(t, codec, fold.Stream(id), meta, f)
		fold.Apply(r, domain.Event{Fact: f, Meta: meta})
	}
	return log, alive
}

func TestPropertyRowsEqualTheFold(t *testing.T) {
	codec := newCodec(t)
	rapid.Check(t, func(rt *rapid.T) {
		log, alive := history(t, rt, codec)
		r := projectionstest.StartIn(t, t.TempDir(), log, codec, rapid.IntRange(1, 30).Draw(rt, "batch"), resources.New(specs))
		projectionstest.WaitFor(t, r, log, resources.Name)
		db, err := r.Reader(resources.Name)
		if err != nil {
			rt.Fatal(err)
		}
		q := resources.NewQueries(db, specs)
		for id, want := range alive {
			d, err := q.Get(t.Context(), "page", "ws_1", id)
			if want.Deleted {
				if !errors.Is(err, domain.ErrNotFound) {
					rt.Errorf("%s is deleted: %v", id, err)
				}
				continue
			}
			if err != nil {
				rt.Fatal(err)
			}
			doc, _ := json.Marshal(want.Doc)
			versions, err := q.Versions(t.Context(), "page", "ws_1", id)
			if string(d.Doc) != string(doc) || d.Version != want.Version || len(versions) != want.Version || err != nil || !d.UpdatedAt.Equal(want.UpdatedAt) {
				rt.Errorf("%s is %+v with %d versions (%v), want %+v", id, d, len(versions), err, want)
			}
		}
		if err := r.Stop(); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestRowsDoNotDependOnBatchesAndRestarts(t *testing.T) {
	codec := newCodec(t)
	histories := rapid.Custom(func(rt *rapid.T) *projectionstest.Log {
		log, _ := history(t, rt, codec)
		return log
	})
	for seed := range 10 {
		projectionstest.CheckRebuild(t, codec, resources.New(specs), histories.Example(seed))
	}
}
