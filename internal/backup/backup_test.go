package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strata/domain"
	"strata/internal/backup"
	"strata/internal/sqlite"
	"strata/streams"
	"strata/streams/embedded"
)

const segmentSize = 8 << 10

// site is an installation under test.
type site struct {
	t    *testing.T
	from backup.Installation
	log  *embedded.Log
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	s := &site{t: t, from: backup.Installation{Dir: dir, Log: "log", State: []string{"models/reactors.db"},
		Files: []string{"keys/master.key"}, Keys: "keys/subjects.db"}}
	for _, d := range []string{"keys", "models"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	s.write("keys/master.key", "the master key")
	s.sql("models/reactors.db", "CREATE TABLE IF NOT EXISTS checkpoints (n)", "INSERT INTO checkpoints VALUES (7)")
	s.sql("keys/subjects.db", "CREATE TABLE IF NOT EXISTS keys (k TEXT)", "INSERT INTO keys VALUES ('key-of-alice'), ('key-of-bob')")
	log, err := embedded.Open(filepath.Join(dir, "log"), embedded.Options{SegmentSize: segmentSize, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	s.log = log
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.from.Dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// sql changes a database and leaves it open, as a server does.
func (s *site) sql(name string, statements ...string) {
	s.t.Helper()
	db, err := sqlite.Open(s.t.Context(), filepath.Join(s.from.Dir, name), sqlite.Options{})
	if err == nil {
		s.t.Cleanup(func() { _ = db.Close() })
		err = db.Write(s.t.Context(), func(tx *sqlite.Tx) error {
			for _, q := range statements {
				if _, err := tx.Exec(s.t.Context(), q); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) append(n int) {
	s.t.Helper()
	for i := range n {
		e := streams.Proposed{ID: domain.NewEventID(), Type: "a.made.v1", Data: fmt.Appendf(nil, `{"n":%d,"pad":%q}`, i, strings.Repeat("x", 300)), Meta: []byte(`{}`)}
		if _, err := s.log.Append(s.t.Context(), domain.StreamID(fmt.Sprint("a-", i%7)), streams.Any, e); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) backup(to string) *backup.Result {
	s.t.Helper()
	r, err := backup.Run(s.t.Context(), s.from, to, backup.Options{Version: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func events(t *testing.T, l *embedded.Log) []string {
	t.Helper()
	var out []string
	for e, err := range l.ReadAll(t.Context(), streams.ReadAll{Filter: &streams.Filter{TypePrefixes: []string{""}}}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d %s %d %s %s %s", e.Position, e.Stream, e.Revision, e.ID, e.At, e.Data))
	}
	return out
}

// restored restores a backup and returns the events of its log.
func restored(t *testing.T, from string) (dir string, list []string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "new")
	if _, err := backup.Restore(t.Context(), from, dir, "log", backup.Options{}); err != nil {
		t.Fatal(err)
	}
	l, err := embedded.Open(filepath.Join(dir, "log"), embedded.Options{SegmentSize: segmentSize})
	if err != nil {
		t.Fatal(err)
	}
	list = events(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, list
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("event %d is %s, want %s", i, got[i], want[i])
		}
	}
}

func TestBackupIsIncremental(t *testing.T) {
	s, to := newSite(t), filepath.Join(t.TempDir(), "to")
	s.append(120)
	first := s.backup(to)
	if first.Copied != len(first.Segments) || first.Copied < 4 || first.Position != 120 {
		t.Fatalf("first: %d of %d segments, position %d", first.Copied, len(first.Segments), first.Position)
	}
	dir, list := restored(t, to)
	same(t, list, events(t, s.log))
	for _, name := range []string{"keys/master.key", "models/reactors.db", "keys/subjects.db"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	s.append(60)
	second := s.backup(to)
	if second.Wrote >= second.Bytes()/2 || second.Position != 180 {
		t.Fatalf("second: %d of %d bytes written, position %d", second.Wrote, second.Bytes(), second.Position)
	}
	_, list = restored(t, to)
	same(t, list, events(t, s.log))
	if third := s.backup(to); third.Wrote > 0 {
		t.Errorf("nothing is new, and %d bytes were written", third.Wrote)
	}
	files, err := filepath.Glob(filepath.Join(to, "*", "*"))
	if err != nil || len(files) != len(second.Segments)+3 {
		t.Errorf("%d files for %d segments and 3 others: %v", len(files), len(second.Segments), files)
	}
}

// A backup that ends early leaves the one before it whole, and the next run
// works. It is stopped after each of its segments.
func TestInterruptedBackup(t *testing.T) {
	s, to := newSite(t), t.TempDir()
	s.append(60)
	first := s.backup(to)
	s.append(60)
	for stop := 1; ; stop++ {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := backup.Run(ctx, s.from, to, backup.Options{Progress: func(p backup.Progress) {
			if p.Done == stop {
				cancel()
			}
		}})
		cancel()
		if err == nil {
			break
		}
		m, faults, err := backup.Verify(t.Context(), to, backup.Options{})
		if err != nil || len(faults) > 0 || m.Position != first.Position {
			t.Fatalf("stopped after segment %d: position %d, %v, %v", stop, m.Position, faults, err)
		}
		s.append(3)
	}
	s.backup(to)
	_, list := restored(t, to)
	same(t, list, events(t, s.log))
}

// A segment that was replaced as a whole, as a scavenge does, is copied again.
func TestReplacedSegment(t *testing.T) {
	s, to := newSite(t), t.TempDir()
	s.append(120)
	if err := s.log.Close(); err != nil { // all segments are sealed by then
		t.Fatal(err)
	}
	s.backup(to)
	path := filepath.Join(s.from.Dir, "log", "000000002.log")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path+".new", text, 0o600), os.Rename(path+".new", path)); err != nil {
		t.Fatal(err)
	}
	if again := s.backup(to); again.Copied != 2 { // and the one being written
		t.Errorf("%d segments were copied, want 2", again.Copied)
	}
}

// What is not as it was written is named, and not restored.
func TestDamagedBackup(t *testing.T) {
	s, to := newSite(t), t.TempDir()
	s.append(60)
	s.backup(to)
	err := filepath.WalkDir(to, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == "LOCK" {
			return err
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		broken := bytes.Clone(whole)
		broken[len(broken)/2] ^= 4
		for what, content := range map[string][]byte{"changed": broken, "cut": whole[:len(whole)-1]} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				return err
			}
			_, faults, err := backup.Verify(t.Context(), to, backup.Options{})
			if e.Name() == "manifest.json" && what == "cut" {
				continue // that was only the line end
			}
			if said := fmt.Sprint(err, faults); !strings.Contains(said, e.Name()) {
				t.Errorf("%s, %s: verify says %s", e.Name(), what, said)
			}
			dir := t.TempDir()
			if _, err := backup.Restore(t.Context(), to, dir, "log", backup.Options{}); err == nil {
				t.Errorf("%s, %s: is restored", e.Name(), what)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("%s, %s: left %v, %v", e.Name(), what, left, err)
			}
		}
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	restored(t, to)
}

func TestRefusals(t *testing.T) {
	s, other := newSite(t), newSite(t)
	s.append(10)
	other.append(20)
	to := t.TempDir()
	s.backup(to)
	run := func(from backup.Installation, dir string) error {
		_, err := backup.Run(t.Context(), from, dir, backup.Options{})
		return err
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "letters.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := embedded.OS().Lock(filepath.Join(to, "LOCK"))
	if err != nil {
		t.Fatal(err)
	}
	busy := run(s.from, to)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	_, intoFull := backup.Restore(t.Context(), to, full, "log", backup.Options{})
	_, fromNothing := backup.Restore(t.Context(), t.TempDir(), t.TempDir(), "log", backup.Options{})
	for _, c := range []struct {
		name, says string
		err        error
	}{
		{"another installation", "another installation", run(other.from, to)},
		{"a directory with something else", "letters.txt", run(s.from, full)},
		{"a data directory", "not a backup", run(s.from, s.from.Dir)},
		{"two at once", "in use", busy},
		{"restore over something", "letters.txt", intoFull},
		{"restore from nothing", "there is no backup", fromNothing},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v, want an error with %q", c.name, c.err, c.says)
		}
	}
}

// A key that was destroyed leaves the backup with the next run, bytes and all;
// a store that is gone is not taken for an empty one.
func TestKeysLeaveTheBackup(t *testing.T) {
	s, to := newSite(t), t.TempDir()
	s.append(10)
	s.backup(to)
	if !holds(t, to, "key-of-alice") {
		t.Fatal("the key is not in the backup")
	}
	s.sql("keys/subjects.db", "DELETE FROM keys WHERE k = 'key-of-alice'")
	s.backup(to)
	if holds(t, to, "key-of-alice") || !holds(t, to, "key-of-bob") {
		t.Error("the backup still has the key, or has lost the other one")
	}
	err := backup.ChangeKeys(t.Context(), to, func(path string) error {
		db, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			return err
		}
		err = db.Write(t.Context(), func(tx *sqlite.Tx) error {
			_, err := tx.Exec(t.Context(), "DELETE FROM keys")
			return err
		})
		return errors.Join(err, db.Close())
	})
	if err != nil || holds(t, to, "key-of-bob") {
		t.Errorf("changed in the backup: %v, the key is there: %v", err, holds(t, to, "key-of-bob"))
	}
	if _, faults, err := backup.Verify(t.Context(), to, backup.Options{}); err != nil || len(faults) > 0 {
		t.Errorf("after the change: %v, %v", faults, err)
	}
	restored(t, to)
	gone := s.from
	gone.Keys = "keys/gone.db"
	if _, err := backup.Run(t.Context(), gone, to, backup.Options{}); err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("a backup without the key store: %v", err)
	}
}

func holds(t *testing.T, dir, text string) bool {
	t.Helper()
	found := false
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found = found || bytes.Contains(content, []byte(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// An arrival that was interrupted is no data directory, and is begun again.
func TestInterruptedArrival(t *testing.T) {
	dir := t.TempDir()
	half, err := backup.Arrive(dir, true, "keys/k", "log")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{half.Path("keys"), half.Path("log"), filepath.Join(dir, "keys")} {
		if err := os.MkdirAll(p, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	// Killed when the first part had been moved.
	for _, p := range []string{filepath.Join(dir, "keys/k"), half.Path("log/1")} {
		if err := os.WriteFile(p, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if backup.Usable(dir) == nil {
		t.Fatal("half a data directory is taken for one")
	}
	again, err := backup.Arrive(dir, true, "keys/k", "log")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{again.Path("keys"), again.Path("log")} {
		if err := os.MkdirAll(p, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(again.Path("keys/k"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := again.Finish(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "keys/k")); err != nil || string(text) != "new" || backup.Usable(dir) != nil {
		t.Errorf("%s, %v, %v", text, err, backup.Usable(dir))
	}
	if left, err := os.ReadDir(filepath.Join(dir, "log")); err != nil || len(left) > 0 {
		t.Errorf("the log holds %v, %v", left, err)
	}
	if _, err := backup.Arrive(dir, true, "log"); !errors.Is(err, backup.ErrNotEmpty) {
		t.Errorf("a directory in use: %v", err)
	}
}
