package backup_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/backup"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settled waits until nothing runs.
func settled(t *testing.T, k *backup.Keeper, name string) backup.Status {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; {
		s, err := k.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		if s.State != backup.Running {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("still %+v", s)
		}
		runtime.Gosched()
	}
}

func TestKeeper(t *testing.T) {
	s, dir := newSite(t), filepath.Join(t.TempDir(), "backups")
	s.append(60)
	k := backup.NewKeeper(s.from, dir, "test", time.Now)
	t.Cleanup(func() { _ = k.Close() })
	if list, err := k.List(); err != nil || len(list) > 0 {
		t.Fatalf("before the first: %v, %v", list, err)
	}
	if begun, err := k.Begin("main"); err != nil || begun.State != backup.Running {
		t.Fatalf("%+v, %v", begun, err)
	}
	if got := settled(t, k, "main"); got.State != backup.Complete || got.Position != 60 || got.Err != nil || got.Segments == 0 {
		t.Errorf("%+v", got)
	}
	for _, name := range []string{"", ".", "..", "../x", "a/b", "-x", strings.Repeat("a", 101)} {
		if _, err := k.Begin(name); !errors.Is(err, backup.ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
	// A run that fails leaves what is there.
	lock, err := embedded.OS().Lock(filepath.Join(dir, "main", "LOCK"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Begin("main"); err != nil {
		t.Fatal(err)
	}
	if got := settled(t, k, "main"); got.State != backup.Failed || !errors.Is(got.Err, embedded.ErrLocked) || got.Position != 60 {
		t.Errorf("a run that failed: %+v", got)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "other"), 0o700), os.MkdirAll(filepath.Join(dir, "broken"), 0o700),
		os.WriteFile(filepath.Join(dir, "broken", "manifest.json"), []byte("{"), 0o600)); err != nil {
		t.Fatal(err)
	}
	list, err := k.List()
	if err != nil || len(list) != 2 || list[0].Name != "broken" || list[0].State != backup.Failed || list[1].Name != "main" {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := k.Get("other"); !errors.Is(err, backup.ErrNone) {
		t.Errorf("a directory without a backup: %v", err)
	}
	none := backup.NewKeeper(s.from, "", "test", time.Now)
	if _, err := none.Begin("main"); !errors.Is(err, backup.ErrNoDir) {
		t.Errorf("without a directory: %v", err)
	}
}
