package personauploads_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/commands"
	"strata/commands/personauploads"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/claim"
	"strata/domain/personaupload"
	"strata/domain/timer"
	"strata/streams"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var someone = domain.Principal{Actor: "user_ann", Organization: "org_1", Workspace: "ws_1", Permissions: map[string]bool{"*": true}}

// errCrash is how a process dies in these tests.
var errCrash = errors.New("crash")

// world is a log with an importer, which may crash and begin again.
type world struct {
	t     testing.TB
	store *embedded.Log
	log   streams.Store // what commands see of it; nil: all
	codec *streams.Codec
	h     *commands.Handler
	res   *commands.Resources
	imp   *personauploads.Importer

	mu      sync.Mutex
	now     time.Time
	crashes int // points until the next crash; 0: none
	forgot  []string
}

type noSecrets struct{}

func (noSecrets) Seal(plain string) (string, error) { return plain, nil }

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(slices.Concat(catalogue.FactTypes(), claim.Aggregate.Facts, personaupload.FactTypes(), timer.Aggregate.Facts), nil, nil)
	ok(t, err)
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	ok(t, err)
	t.Cleanup(func() { ok(t, store.Close()) })
	w := &world{t: t, store: store, codec: codec, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.restart()
	return w
}

// restart forgets everything that is only in memory.
func (w *world) restart() {
	var log streams.Store = w.store
	if w.log != nil {
		log = w.log
	}
	w.h = commands.New(commands.Config{Store: log, Codec: w.codec, Now: func() time.Time { return w.now }})
	w.res = commands.NewResources(w.h, noSecrets{}, catalogue.All())
	w.imp = personauploads.New(personauploads.Config{Handler: w.h, Resources: w.res, Store: w.store, Codec: w.codec, Index: w, At: w.at,
		Forget: func(_ context.Context, p domain.Principal, upload string) error {
			if p.Workspace != "ws_1" {
				return fmt.Errorf("forgets in %q", p.Workspace)
			}
			w.forgot = append(w.forgot, upload)
			return nil
		}})
}

func (w *world) at(string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.crashes > 0 {
		if w.crashes--; w.crashes == 0 {
			panic(errCrash)
		}
	}
}

// personas are those there are, by id.
func (w *world) personas() map[string]*domain.Resource {
	w.t.Helper()
	all, agg := map[string]*domain.Resource{}, domain.KindAggregate(catalogue.Personas.Spec())
	for r, err := range w.store.ReadAll(context.Background(), streams.ReadAll{Filter: &streams.Filter{Categories: []string{"persona"}}}) {
		ok(w.t, err)
		e, err := w.codec.Decode(r)
		ok(w.t, err)
		id := e.Stream.Key()
		if all[id] == nil {
			all[id] = agg.New(id)
		}
		agg.Apply(all[id], e)
	}
	maps.DeleteFunc(all, func(_ string, r *domain.Resource) bool { return r.Deleted })
	return all
}

// Find implements personauploads.Index by the log itself.
func (w *world) Find(_ context.Context, _ string, _ domain.Position, keys []personauploads.Key) (map[personauploads.Key][]string, error) {
	out := map[personauploads.Key][]string{}
	all := w.personas()
	ids := slices.SortedFunc(maps.Keys(all), func(a, b string) int { return all[a].CreatedAt.Compare(all[b].CreatedAt) })
	for _, id := range ids {
		k := personauploads.Key{all[id].Doc.String("name"), all[id].Doc.String("birthdate")}
		if slices.Contains(keys, k) {
			out[k] = append(out[k], id)
		}
	}
	return out, nil
}

// pump gives the importer every event of the log from the beginning until
// nothing follows. It tells whether the process crashed on the way.
func (w *world) pump() (crashed bool) {
	w.t.Helper()
	defer func() {
		if p := recover(); p != nil {
			if p != errCrash { //nolint:errorlint // the very value
				panic(p)
			}
			crashed = true
		}
	}()
	for after := domain.Position(0); ; {
		n := 0
		for r, err := range w.store.ReadAll(context.Background(), streams.ReadAll{After: after, Filter: w.imp.Filter()}) {
			ok(w.t, err)
			e, err := w.codec.Decode(r)
			ok(w.t, err)
			ok(w.t, w.imp.Handle(context.Background(), e))
			after, n = r.Position, n+1
		}
		if n == 0 {
			return false
		}
	}
}

func (w *world) run(id string, cmd domain.Decider[personaupload.State]) domain.Position {
	w.t.Helper()
	out, err := commands.Run[personaupload.State, struct{}](context.Background(), w.h, personaupload.Aggregate,
		commands.Request{Principal: someone, ID: id, Create: true}, cmd, nil)
	ok(w.t, err)
	return out.Position
}

func (w *world) state(id string) personaupload.State {
	w.t.Helper()
	s, err := commands.Load(context.Background(), w.h, personaupload.Aggregate, someone, id,
		func(l *commands.Loaded[personaupload.State]) personaupload.State { return *l.State })
	ok(w.t, err)
	return s
}

// upload prepares an upload of chunks of rows.
func (w *world) upload(id string, chunks ...[]personaupload.Row) {
	w.t.Helper()
	w.run(id, personaupload.Receive{Token: "hash", Files: 1, ExpiresAt: w.now.Add(time.Hour)})
	for _, rows := range chunks {
		w.run(id, personaupload.AddRows{Rows: rows})
	}
	w.run(id, personaupload.Prepare{})
}

func person(name, notes string) personaupload.Row {
	return personaupload.Row{File: "f", Name: name, Birthdate: "1990-01-01", Notes: notes}
}

func (w *world) create(name, notes string) string {
	w.t.Helper()
	doc, err := personauploads.Document(person(name, notes))
	ok(w.t, err)
	out, err := w.res.Create(context.Background(), catalogue.Personas, commands.Request{Principal: someone, Permission: "personas:create"}, doc)
	ok(w.t, err)
	return out.ID
}

// notes lists what is known of everybody: "name: notes".
func (w *world) notes() []string {
	var out []string
	for _, r := range w.personas() {
		out = append(out, r.Doc.String("name")+": "+r.Doc.String("notes"))
	}
	slices.Sort(out)
	return out
}

// reads counts how often streams are read.
type reads struct {
	streams.Store
	mu sync.Mutex
	of map[domain.StreamID]int
}

func (r *reads) ReadStream(ctx context.Context, stream domain.StreamID, ask streams.ReadStream) iter.Seq2[streams.Recorded, error] {
	r.mu.Lock()
	r.of[stream]++
	r.mu.Unlock()
	return r.Store.ReadStream(ctx, stream, ask)
}

// What an import makes is not kept in memory: there would be as much of it as rows.
func TestImportKeepsNoPersonas(t *testing.T) {
	w := newWorld(t)
	counted := &reads{Store: w.store, of: map[domain.StreamID]int{}}
	w.log = counted
	w.restart()
	w.upload("pup_1", []personaupload.Row{person("Ada", "1"), person("Bob", "1")})
	w.run("pup_1", personaupload.Confirm{Token: "hash", Resolution: personaupload.Create})
	w.pump()
	for id := range w.personas() {
		stream := domain.Stream("persona", id)
		before := counted.of[stream]
		_, err := w.res.Load(context.Background(), catalogue.Personas, someone, id)
		ok(t, err)
		if counted.of[stream] == before {
			t.Errorf("%s is in memory", id)
		}
	}
}

func TestResolutions(t *testing.T) {
	for resolution, c := range map[personaupload.Resolution]struct {
		counts personaupload.Counts
		notes  []string
	}{
		personaupload.Skip:      {personaupload.Counts{Created: 2, Skipped: 2, Conflicts: 2}, []string{"Ada: old", "Bob: 1", "Eve: 1"}},
		personaupload.Create:    {personaupload.Counts{Created: 4, Conflicts: 2}, []string{"Ada: new", "Ada: old", "Bob: 1", "Bob: 2", "Eve: 1"}},
		personaupload.Overwrite: {personaupload.Counts{Created: 2, Updated: 2, Conflicts: 2}, []string{"Ada: new", "Bob: 2", "Eve: 1"}},
	} {
		t.Run(string(resolution), func(t *testing.T) {
			w := newWorld(t)
			w.create("Ada", "old")
			w.upload("pup_1", []personaupload.Row{person("Ada", "new"), person("Bob", "1")}, []personaupload.Row{person("Bob", "2"), person("Eve", "1")})
			w.pump()
			if got := w.notes(); len(got) != 1 {
				t.Fatalf("before it is confirmed there are %q", got)
			}
			w.run("pup_1", personaupload.Confirm{Token: "hash", Resolution: resolution})
			w.pump()
			if s := w.state("pup_1"); s.Status != personaupload.Done || s.Counts != c.counts {
				t.Errorf("state %+v, want %+v", s, c.counts)
			}
			if got := w.notes(); !slices.Equal(got, c.notes) {
				t.Errorf("personas %q, want %q", got, c.notes)
			}
			for _, r := range w.personas() {
				if r.CreatedBy != someone.Actor {
					t.Errorf("created by %q", r.CreatedBy)
				}
			}
			if !slices.Contains(w.forgot, "pup_1") {
				t.Error("the rows were not forgotten")
			}
		})
	}
}

// Wherever the process dies and however often: what is there in the end is what
// an upload without a fault leaves.
func TestCrashesLeaveNoTrace(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		row := rapid.Custom(func(t *rapid.T) personaupload.Row {
			return person(rapid.SampledFrom([]string{"Ada", "Bob", "Eve", "Zoe"}).Draw(t, "name"), rapid.StringMatching(`[a-z]{3}`).Draw(t, "notes"))
		})
		chunks := rapid.SliceOfN(rapid.SliceOfN(row, 1, 5), 1, 4).Draw(t, "chunks")
		resolution := rapid.SampledFrom(personaupload.Resolutions()).Draw(t, "resolution")
		crashes := rapid.SliceOfN(rapid.IntRange(1, 6), 0, 5).Draw(t, "crashes")
		notes, counts := once(outer, t, chunks, resolution, nil)
		again, same := once(outer, t, chunks, resolution, crashes)
		if !slices.Equal(notes, again) || counts != same {
			t.Fatalf("with crashes %v: %q %+v\nwithout: %q %+v", crashes, again, same, notes, counts)
		}
	})
}

// inner gives rapid's test the folders and clean-up of a test.
type inner struct {
	testing.TB
	rapid *rapid.T
}

func once(outer *testing.T, t *rapid.T, chunks [][]personaupload.Row, resolution personaupload.Resolution, crashes []int) ([]string, personaupload.Counts) {
	store, err := embedded.Open(outer.TempDir(), embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	codec, err := streams.NewCodec(slices.Concat(catalogue.FactTypes(), claim.Aggregate.Facts, personaupload.FactTypes(), timer.Aggregate.Facts), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: inner{rapid: t}, store: store, codec: codec, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.restart()
	w.create("Ada", "old")
	w.upload("pup_1", chunks...)
	w.run("pup_1", personaupload.Confirm{Token: "hash", Resolution: resolution})
	for _, n := range crashes {
		w.crashes = n
		if w.pump() {
			w.restart()
		}
	}
	w.crashes = 0
	w.pump()
	return w.notes(), w.state("pup_1").Counts
}

// Helper, Fatal and Fatalf are what worlds call.
func (i inner) Helper()                      { i.rapid.Helper() }
func (i inner) Fatal(args ...any)            { i.rapid.Fatal(args...) }
func (i inner) Fatalf(f string, args ...any) { i.rapid.Fatalf(f, args...) }

func TestOverwritingKeepsWhatAFileDoesNotSay(t *testing.T) {
	w := newWorld(t)
	w.create("Ada", "old")
	w.upload("pup_1", []personaupload.Row{person("Ada", "")})
	w.run("pup_1", personaupload.Confirm{Token: "hash", Resolution: personaupload.Overwrite})
	w.pump()
	if got := w.notes(); !slices.Equal(got, []string{"Ada: old"}) {
		t.Errorf("personas %q", got)
	}
}

func TestUploadsThatNobodyConfirmsExpire(t *testing.T) {
	w := newWorld(t)
	w.upload("pup_1", []personaupload.Row{person("Ada", "x")})
	w.run("pup_2", personaupload.Receive{Token: "hash", ExpiresAt: w.now.Add(time.Hour)}) // a crash left it so
	w.pump()
	fire := func() {
		for _, id := range []string{"pup_1", "pup_2"} {
			_, err := commands.Run[timer.State, struct{}](t.Context(), w.h, timer.Aggregate,
				commands.Request{Principal: domain.System("", ""), ID: timer.ID(personauploads.Expiry, id)}, timer.Fire{}, nil)
			ok(t, err)
		}
		w.pump()
	}
	if fire(); w.state("pup_1").Status != personaupload.Pending {
		t.Fatal("it expired early")
	}
	w.now = w.now.Add(time.Hour)
	fire()
	if a, b := w.state("pup_1").Status, w.state("pup_2").Status; a != personaupload.TimedOut || b != personaupload.TimedOut {
		t.Errorf("status %s, %s", a, b)
	}
	if len(w.notes()) != 0 || !slices.Contains(w.forgot, "pup_1") || !slices.Contains(w.forgot, "pup_2") {
		t.Errorf("personas %q, forgotten %q", w.notes(), w.forgot)
	}
}

func TestFollow(t *testing.T) {
	w := newWorld(t)
	w.upload("pup_1", []personaupload.Row{person("Ada", "x")})
	at := w.run("pup_1", personaupload.Confirm{Token: "hash", Resolution: personaupload.Skip})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if s, _, err := personauploads.Follow(gone, w.h, w.store, someone, "pup_1", at); err != nil || s.Status != personaupload.Processing {
		t.Errorf("while it runs: %+v %v", s, err)
	}
	w.pump()
	if s, end, err := personauploads.Follow(t.Context(), w.h, w.store, someone, "pup_1", at); err != nil || s.Status != personaupload.Done || end <= at {
		t.Errorf("afterwards: %+v at %d %v", s, end, err)
	}
}
