//go:build e2e && linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"strata/test/kit"
)

// smallDisk is a file system of its own; only root may make one.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("a small file system cannot be made here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// fillUp takes all the space of a disk, and returns how to give it back.
func fillUp(t *testing.T, disk string) (free func()) {
	t.Helper()
	ballast := filepath.Join(disk, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	for block := 1 << 20; block >= 1; block /= 16 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, block))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}
}

// untilRefused creates things until one is refused for lack of space: what is
// reserved still takes some. It returns how many there are.
func untilRefused(t *testing.T, c tenant, path, reason string, body func(n int) object) int {
	t.Helper()
	for n := range 2000 {
		a, err := c.Call(context.Background(), http.MethodPost, path, body(n))
		switch {
		case err != nil:
			t.Fatal(err)
		case a.Status == http.StatusServiceUnavailable:
			if !strings.Contains(string(a.Body), reason) {
				t.Errorf("the refusal says %s", a.Short())
			}
			return n
		case a.Status/100 != 2:
			t.Fatalf("%d %s", a.Status, a.Short())
		}
	}
	t.Fatal("the full disk takes everything")
	return 0
}

// A disk that fills up: writes are refused with 503 and a reason, reads go on,
// and when there is space again everything goes on by itself; read models and
// the analytics engine have lost neither their place nor a row.
func TestDiskFull(t *testing.T) {
	disk := smallDisk(t, "256m")
	s := kit.Start(t, kit.Options{DataDir: filepath.Join(disk, "data"), Env: []string{"STRATA_LOG_SEGMENT_SIZE=64KiB"}})
	if err := s.WaitClickHouse(clickHouseDeadline); err != nil {
		t.Fatal(err)
	}
	c := newTenant(t, s)
	c.provide(t, "p")
	ctx := context.Background()
	before := c.Create(t, "/v1/sessions", object{"state": object{"a": 1}})
	c.Get(t, "/v1/sessions/"+before.Str("uid"), before.After()...)
	c.Post(t, chatPath, say("p/m", "hello"))
	logged(t, c.Client, 1)

	free := fillUp(t, disk)
	pad := strings.Repeat("x", 1900)
	made, calls := 1, 1
	made += untilRefused(t, c, "/v1/sessions", "disk", func(int) object { return object{"state": object{"pad": pad}} })
	// Each waits a moment for the read model that cannot follow; few fill a segment.
	apps := untilRefused(t, c, "/api/v1/apps", "out of disk space", func(n int) object {
		return object{"name": fmt.Sprint("app ", n), "type": "chat", "config": object{"pad": strings.Repeat(pad, 10)}}
	})
	if a, err := c.Call(ctx, http.MethodPost, chatPath, say("p/m", "hello")); err == nil && a.Status == http.StatusOK {
		calls++ // it may have fitted into the rest
	}
	for range 20 {
		c.Get(t, "/v1/sessions/"+before.Str("uid"))
		c.Get(t, "/v1/sessions")
	}
	if !s.Running() {
		t.Fatal("the server died of a full disk")
	}
	free()
	kit.Eventually(t, 15*time.Second, "takes writes again", func() error {
		a, err := c.Call(ctx, http.MethodPost, "/v1/sessions", object{})
		if err == nil && a.Status/100 != 2 {
			err = fmt.Errorf("%d %s", a.Status, a.Short())
		}
		return err
	})
	made++
	c.Post(t, chatPath, say("p/m", "hello"))
	calls++
	if err := s.WaitSettled(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	n := 0
	for cursor := ""; ; {
		page := c.Get(t, "/v1/sessions"+kit.Query("limit", "100", "cursor", cursor))
		n += len(page.List("data"))
		if !page.Bool("has_more") {
			break
		}
		cursor = page.Str("next_cursor")
	}
	if n != made {
		t.Errorf("%d sessions, want the %d that were acknowledged", n, made)
	}
	for _, p := range s.Client().Get(t, "/api/v1/admin/projections").List("data") {
		if p := p.(object); fmt.Sprint(p["parked"]) != "0" {
			t.Errorf("%v has parked events of a full disk: %v", p["name"], p)
		}
	}
	if n := len(c.Get(t, "/api/v1/apps"+kit.Query("limit", "100")).List("data")); n != min(apps, 100) {
		t.Errorf("%d apps, want the %d that were acknowledged, or 100", n, apps)
	}
	logged(t, c.Client, calls)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if said, err := s.Tool(ctx, "verify"); err != nil || !strings.Contains(said, " 0 faults") {
		t.Errorf("verify: %s %v", said, err)
	}
}
