package copies_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/privacy"
	"strata/projections"
	"strata/projections/copies"
	"strata/projections/projectionstest"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noted and dropped are the facts of these tests.
type noted struct{ ID, Text string }

func (noted) EventType() string { return "note.noted.v1" }

type dropped struct{ ID string }

func (dropped) EventType() string { return "note.dropped.v1" }

// notes is a model with a search table, which finds rows by their rowid.
type notes struct {
	version int
	extra   string       // DDL that somebody has added without a new version
	applied atomic.Int64 // events
}

func (m *notes) Name() string { return "notes" }
func (m *notes) Version() int { return 1 + m.version }
func (m *notes) Schema() string {
	return `CREATE TABLE notes (id TEXT PRIMARY KEY, content TEXT);` + m.extra
}
func (m *notes) Indexes() string {
	return `CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5 (content, content='notes', content_rowid='rowid');
CREATE TRIGGER IF NOT EXISTS put AFTER INSERT ON notes BEGIN INSERT INTO search (rowid, content) VALUES (new.rowid, new.content); END;
CREATE TRIGGER IF NOT EXISTS cut AFTER DELETE ON notes BEGIN INSERT INTO search (search, rowid, content) VALUES ('delete', old.rowid, old.content); END;
INSERT INTO search (search) VALUES ('rebuild');`
}
func (m *notes) Filter() *streams.Filter { return &streams.Filter{Categories: []string{"note"}} }

func (m *notes) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	for _, e := range events {
		m.applied.Add(1)
		var err error
		switch f := e.Fact.(type) {
		case noted:
			_, err = tx.Exec(ctx, "INSERT INTO notes VALUES (?, ?)", f.ID, f.Text)
		case dropped:
			_, err = tx.Exec(ctx, "DELETE FROM notes WHERE id = ?", f.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// node is one process.
type node struct {
	*testing.T
	dir    string
	model  *notes
	shelf  *copies.Shelf
	runner *projections.Runner
	told   bytes.Buffer // what it logged
}

// world is a log that nodes share, and the directory of the copies.
type world struct {
	*testing.T
	dir   string
	log   *projectionstest.Log
	codec *streams.Codec
	now   time.Time
	at    func(point string)
}

func newWorld(t *testing.T) *world {
	codec, err := streams.NewCodec(append([]domain.FactType{domain.FactOf[noted](), domain.FactOf[dropped]()}, privacy.FactTypes()...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, dir: filepath.Join(t.TempDir(), "shelf"), log: projectionstest.NewLog(), codec: codec, now: time.Unix(1e9, 0)}
	for i := range 30 {
		w.note(i)
		if i%3 == 0 { // gaps between rows
			w.write("note-x", dropped{ID: fmt.Sprint(i)})
		}
	}
	return w
}

func (w *world) write(stream domain.StreamID, facts ...domain.Fact) {
	w.Helper()
	w.log.Write(w.T, w.codec, stream, projectionstest.Meta("ws_1", 1), facts...)
}

func (w *world) note(i int) {
	w.write("note-x", noted{ID: fmt.Sprint(i), Text: fmt.Sprintf("word%d", i)})
}

func (w *world) begin(model *notes) *node { return w.beginWith(model, []byte("the installation's")) }

// beginWith starts a node with an empty disk; it is live when this returns.
func (w *world) beginWith(model *notes, key []byte) *node {
	w.Helper()
	n := &node{T: w.T, dir: w.TempDir(), model: model}
	n.shelf = copies.New(copies.Config{Dir: w.dir, Store: w.log, Key: key, Node: "n", Every: time.Hour,
		Now: func() time.Time { return w.now }, Logger: slog.New(slog.NewTextHandler(&n.told, nil)), At: func(point string) {
			if w.at != nil {
				w.at(point)
			}
		}})
	if err := n.shelf.Fetch(w.Context(), n.dir, []projections.Model{model}); err != nil {
		w.Fatal(err)
	}
	var err error
	n.runner, err = projections.Open(w.Context(), projections.Config{Dir: n.dir, Store: w.log, Codec: w.codec, NoSync: true}, model)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := n.runner.Stop(); err != nil {
			w.Error(err)
		}
	})
	if err := n.runner.Start(); err != nil {
		w.Fatal(err)
	}
	projectionstest.WaitFor(w.T, n.runner, w.log, "notes")
	if err := n.runner.WaitLive(w.Context()); err != nil {
		w.Fatal(err)
	}
	return n
}

func (n *node) publish() {
	n.Helper()
	if err := n.shelf.Publish(n.Context(), n.runner); err != nil {
		n.Fatal(err)
	}
}

// finds is the id of the row that a word is found in.
func (n *node) finds(word string) (id string) {
	n.Helper()
	db, err := n.runner.Reader("notes")
	if err != nil {
		n.Fatal(err)
	}
	err = db.QueryRow(n.Context(), "SELECT coalesce(max(id), '') FROM notes WHERE rowid IN (SELECT rowid FROM search WHERE search MATCH ?)", word).Scan(&id)
	if err != nil {
		n.Fatal(err)
	}
	return id
}

// has checks every row up to a number.
func (n *node) has(count int) {
	n.Helper()
	for i := range count {
		want := fmt.Sprint(i)
		if i%3 == 0 && i < 30 {
			want = ""
		}
		if got := n.finds(fmt.Sprintf("word%d", i)); got != want {
			n.Errorf("word%d is found in %q, want %q", i, got, want)
		}
	}
}

// folded checks how many events the model was given.
func (n *node) folded(want int64) {
	n.Helper()
	if got := n.model.applied.Load(); got != want {
		n.Errorf("%d events were folded, want %d\n%s", got, want, &n.told)
	}
}

func (w *world) onShelf() (names []string) {
	w.Helper()
	all, err := os.ReadDir(w.dir)
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	return names
}

// all is how many events newWorld writes.
const all = 40

// A new node folds only what came after the copy, and finds everything.
func TestANodeBeginsWithACopy(t *testing.T) {
	w := newWorld(t)
	first := w.begin(&notes{})
	first.folded(all)
	first.publish()
	w.note(30)
	w.note(31)
	second := w.begin(&notes{})
	second.folded(2)
	second.has(32)
}

// Copies are made when they are due, and two are kept.
func TestTwoCopiesAreKept(t *testing.T) {
	w := newWorld(t)
	n := w.begin(&notes{})
	n.publish()
	n.publish() // nothing is due
	one := w.onShelf()
	if len(one) != 1 {
		t.Fatalf("on the shelf are %v", one)
	}
	for i := range 3 {
		w.note(30 + i)
		projectionstest.WaitFor(t, n.runner, w.log, "notes")
		w.now = w.now.Add(time.Hour)
		n.publish()
	}
	if two := w.onShelf(); len(two) != 2 || slices.Contains(two, one[0]) {
		t.Errorf("on the shelf are %v", two)
	}
	last := w.begin(&notes{})
	last.folded(0)
	last.has(33)
}

// Whenever the process that copies dies, there is no half copy to begin with, and
// the next one makes a whole one.
func TestDyingWhileCopying(t *testing.T) {
	for _, point := range []string{"copies.rows", "copies.written"} {
		t.Run(point, func(t *testing.T) {
			w := newWorld(t)
			n := w.begin(&notes{})
			w.at = func(at string) {
				if at == point { // what is on the disk now is what a dead process leaves
					err := os.CopyFS(w.dir+".left", os.DirFS(w.dir))
					if err != nil {
						t.Error(err)
					}
				}
			}
			n.publish()
			w.at = nil
			if err := os.RemoveAll(w.dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(w.dir+".left", w.dir); err != nil {
				t.Fatal(err)
			}
			if left := w.onShelf(); len(left) != 1 || !strings.HasSuffix(left[0], ".tmp") {
				t.Fatalf("left is %v", left)
			}
			second := w.begin(&notes{})
			second.folded(all)
			second.publish()
			if now := w.onShelf(); len(now) != 1 || strings.HasSuffix(now[0], ".tmp") {
				t.Errorf("on the shelf are %v", now)
			}
			w.begin(&notes{}).folded(0)
		})
	}
}

// What cannot be trusted is told of and ignored: the log has everything.
func TestWhatDoesNotFitIsIgnored(t *testing.T) {
	change := func(t *testing.T, path string, change func([]byte) []byte) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, change(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *world, dir string)
		model *notes
		key   string
		cause string // in the log; "" for none
	}{
		"another version": {model: &notes{version: 1}},
		"another form":    {model: &notes{extra: "CREATE TABLE more (x);"}, cause: "another form"},
		"another key":     {key: "somebody else's", cause: "not signed"},
		"changed rows": {spoil: func(t *testing.T, _ *world, dir string) { change(t, filepath.Join(dir, "model.db"), flip) },
			cause: "its rows are not those"},
		"cut rows": {spoil: func(t *testing.T, _ *world, dir string) {
			change(t, filepath.Join(dir, "model.db"), func(b []byte) []byte { return b[:len(b)/2] })
		}, cause: "its rows are not those"},
		"no rows": {spoil: func(t *testing.T, _ *world, dir string) {
			if err := os.Remove(filepath.Join(dir, "model.db")); err != nil {
				t.Fatal(err)
			}
		}, cause: "no such file"},
		"changed manifest": {spoil: func(t *testing.T, _ *world, dir string) {
			change(t, filepath.Join(dir, "manifest.json"), func(b []byte) []byte { return bytes.Replace(b, []byte(`"erasure":0`), []byte(`"erasure":9`), 1) })
		}, cause: "not signed"},
		"no manifest": {spoil: func(t *testing.T, _ *world, dir string) {
			change(t, filepath.Join(dir, "manifest.json"), func([]byte) []byte { return nil })
		}, cause: "ignored"},
		"another log": {spoil: func(_ *testing.T, w *world, _ string) {
			again := newWorld(w.T)
			again.note(30)
			w.log = again.log
		}, cause: "another log"},
		"a shorter log": {spoil: func(_ *testing.T, w *world, _ string) { w.log = projectionstest.NewLog(); w.note(1) }, cause: "ahead of the log"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.begin(&notes{}).publish()
			if c.spoil != nil {
				c.spoil(t, w, filepath.Join(w.dir, w.onShelf()[0]))
			}
			if c.model == nil {
				c.model = &notes{}
			}
			if c.key == "" {
				c.key = "the installation's"
			}
			n := w.beginWith(c.model, []byte(c.key))
			if n.model.applied.Load() == 0 {
				t.Error("it was taken")
			}
			if !strings.Contains(n.told.String(), c.cause) {
				t.Errorf("the log says %q, want %q", &n.told, c.cause)
			}
			if left, _ := filepath.Glob(filepath.Join(n.dir, "*incoming*")); len(left) > 0 {
				t.Errorf("left is %v", left)
			}
		})
	}
}

// No copy is made while an erasure is going on, or kept that was made while one
// began, and none from before is taken after.
func TestErasures(t *testing.T) {
	w := newWorld(t)
	n := w.begin(&notes{})
	n.publish()
	w.write("privacy-1", privacy.SubjectErased{Subject: "ann"})
	w.begin(&notes{}).folded(all) // the copy may hold what was erased
	if err := n.shelf.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.publish()
	if left := w.onShelf(); len(left) != 0 {
		t.Errorf("on the shelf are %v", left)
	}
	w.write("privacy-1", privacy.ErasureCompleted{})
	w.at = func(point string) {
		if point == "copies.rows" {
			w.write("privacy-2", privacy.SubjectErased{Subject: "bob"}, privacy.ErasureCompleted{})
		}
	}
	n.publish()
	if left := w.onShelf(); len(left) != 0 {
		t.Errorf("on the shelf are %v", left)
	}
	w.at = nil
	n.publish()
	w.begin(&notes{}).folded(0)
}
