package snapshots_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/commands"
	"strata/domain"
	"strata/internal/snapshots"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "snapshots.db") }

func open(t *testing.T, cfg snapshots.Config) *snapshots.Store {
	t.Helper()
	cfg.Every = time.Microsecond
	s, err := snapshots.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func shut(t *testing.T, s *snapshots.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// put keeps snapshots, each written before the next comes.
func put(t *testing.T, cfg snapshots.Config, all ...commands.Snapshot) {
	t.Helper()
	for _, snap := range all {
		s := open(t, cfg)
		s.Put(snap)
		shut(t, s)
	}
}

var ann = streams.Subject{Organization: "org_1", Workspace: "ws_1", ID: "ann"}

func snapshot(stream domain.StreamID, at domain.Revision) commands.Snapshot {
	return commands.Snapshot{Stream: stream, Revision: at, Event: domain.DerivedEventID("t", string(stream), "", int(at)), Fold: "1",
		State: []byte(`{"text":"the plain words of somebody"}`), Keys: []byte("key of a request, and another on"), About: []streams.Subject{ann}}
}

func TestLatest(t *testing.T) {
	cfg := snapshots.Config{Path: file(t)}
	put(t, cfg, snapshot("session-a", 10), snapshot("session-a", 20), snapshot("session-b", 5))
	s := open(t, cfg)
	defer shut(t, s)
	for _, c := range []struct {
		stream domain.StreamID
		fold   string
		upTo   domain.Revision
		want   domain.Revision // -1: none
		keys   bool
	}{
		{"session-a", "1", streams.End, 20, true}, {"session-a", "1", 20, 20, true}, {"session-a", "1", 19, 10, false},
		{"session-a", "1", 9, -1, false}, {"session-a", "2", streams.End, -1, false}, {"session-b", "1", streams.End, 5, true},
		{"session-c", "1", streams.End, -1, false},
	} {
		got, found := s.Latest(t.Context(), c.stream, c.fold, c.upTo)
		if !found {
			got.Revision = -1
		}
		if got.Revision != c.want || (got.Keys != nil) != c.keys {
			t.Errorf("%+v: %+v", c, got)
		}
		if want := snapshot(c.stream, c.want); found && (got.Event != want.Event || !bytes.Equal(got.State, want.State) || !slices.Equal(got.About, want.About)) {
			t.Errorf("%+v: %+v", c, got)
		}
	}
}

// A snapshot is there as soon as it is handed over, and only as many are kept
// as are of use.
func TestPutIsSeenAtOnceAndOldOnesGo(t *testing.T) {
	cfg := snapshots.Config{Path: file(t)}
	for i := range commands.SnapshotsKept + 2 {
		put(t, cfg, snapshot("session-a", domain.Revision(i)))
	}
	s := open(t, cfg)
	defer shut(t, s)
	if got, found := s.Latest(t.Context(), "session-a", "1", 1); found {
		t.Errorf("%+v is kept for nothing", got)
	}
	if _, found := s.Latest(t.Context(), "session-a", "1", 2); !found {
		t.Error("one of use is gone")
	}
	// Last, because once it is written it takes the place of another.
	s.Put(snapshot("session-a", 99))
	if got, found := s.Latest(t.Context(), "session-a", "1", streams.End); !found || got.Revision != 99 {
		t.Errorf("%+v", got)
	}
}

// Another program's states go when a program keeps its own: they would lack
// the keys that were remembered since.
func TestAnotherProgram(t *testing.T) {
	cfg := snapshots.Config{Path: file(t)}
	newer := snapshot("session-a", 20)
	newer.Fold = "2"
	put(t, cfg, snapshot("session-a", 10), newer)
	s := open(t, cfg)
	defer shut(t, s)
	if got, found := s.Latest(t.Context(), "session-a", "1", streams.End); found {
		t.Errorf("%+v", got)
	}
	if _, found := s.Latest(t.Context(), "session-a", "2", streams.End); !found {
		t.Error("its own is gone")
	}
}

// Wherever the file is damaged: a snapshot is as it was put, or there is none.
func TestDamage(t *testing.T) {
	cfg := snapshots.Config{Path: file(t)}
	put(t, cfg, snapshot("session-a", 10))
	sound, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	want := snapshot("session-a", 10)
	lost := 0
	for at := 0; at < len(sound); at += 97 {
		damaged := slices.Clone(sound)
		damaged[at] ^= 0x41
		if err := os.WriteFile(cfg.Path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := snapshots.Open(t.Context(), cfg)
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		got, found := s.Latest(t.Context(), "session-a", "1", streams.End)
		if !found {
			lost++
		} else if got.Event != want.Event || got.Revision != 10 || !bytes.Equal(got.State, want.State) || !bytes.Equal(got.Keys, want.Keys) || !slices.Equal(got.About, want.About) {
			t.Errorf("byte %d: %+v", at, got)
		}
		shut(t, s)
	}
	if lost == 0 {
		t.Error("no damage hit anything: the test proves nothing")
	}
}

// masked seals in a way that a test can see through. Who is gone cannot be read.
type masked struct{ gone map[streams.Subject]bool }

func (k masked) Seal(dst []byte, _ streams.Subject, bound, data []byte) ([]byte, error) {
	return append(append(dst, bound...), turn(data)...), nil
}

func (k masked) Open(who streams.Subject, bound, data []byte) ([]byte, error) {
	if k.gone[who] {
		return nil, errors.New("the key is gone")
	}
	sealed, ok := bytes.CutPrefix(data, bound)
	if !ok {
		return nil, errors.New("it was sealed for another place")
	}
	return turn(sealed), nil
}

func turn(data []byte) []byte {
	out := slices.Clone(data)
	for i := range out {
		out[i] ^= 0x55
	}
	return out
}

func TestSealed(t *testing.T) {
	keys := masked{gone: map[streams.Subject]bool{}}
	cfg := snapshots.Config{Path: file(t), Keys: keys}
	put(t, cfg, snapshot("session-a", 10))
	if b, err := os.ReadFile(cfg.Path); err != nil || bytes.Contains(b, []byte("plain words")) {
		t.Errorf("the plain state is in the file (%v)", err)
	}
	s := open(t, cfg)
	defer shut(t, s)
	if got, found := s.Latest(t.Context(), "session-a", "1", streams.End); !found || !bytes.Equal(got.State, snapshot("", 0).State) {
		t.Errorf("%v %s", found, got.State)
	}
	keys.gone[ann] = true
	if _, found := s.Latest(t.Context(), "session-a", "1", streams.End); found {
		t.Error("a state is shown whose key is gone")
	}
}

// Forgetting leaves nothing of a person in any file while the store runs on,
// nor of what waits to be written.
func TestForgetLeavesNoByte(t *testing.T) {
	cfg := snapshots.Config{Path: file(t)}
	other := snapshot("session-b", 7)
	other.About, other.State = []streams.Subject{{Organization: "org_1", Workspace: "ws_2", ID: "ann"}}, []byte("words of her namesake")
	put(t, cfg, snapshot("session-a", 10), snapshot("session-a", 20), other)
	s := open(t, cfg)
	defer shut(t, s)
	s.Put(snapshot("session-a", 30))
	if err := s.Forget(context.Background(), ann); err != nil {
		t.Fatal(err)
	}
	if _, found := s.Latest(t.Context(), "session-a", "1", streams.End); found {
		t.Error("a snapshot is left")
	}
	if _, found := s.Latest(t.Context(), "session-b", "1", streams.End); !found {
		t.Error("somebody else's is gone")
	}
	files, err := filepath.Glob(cfg.Path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("plain words")) {
			t.Errorf("%s holds plain words", filepath.Base(f))
		}
	}
}
