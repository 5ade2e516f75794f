package main

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"strata/domain"
	"strata/streams"
)

type shownLog struct {
	Head     uint64
	Segments int
	Bytes    int64
	Writable bool
	Scavenge shownScavenge
}

type shownScavenge struct {
	State     string
	Removed   uint64
	Rewritten int
}

// A deleted stream leaves the disk while the server runs; nothing else is touched.
func TestScavengeOverTheAPI(t *testing.T) {
	dir := t.TempDir()
	i := install(t, dir)
	gone, kept := i.addSession(t, testKey), i.addSession(t, testKey)
	i.addEvent(t, gone, "forget me", testKey)
	i.addEvent(t, kept, "keep me", testKey)
	const path = "/api/v1/admin/log"
	before := decoded[shownLog](t, call(t, i, "GET", path, nil).must(t, http.StatusOK))
	if before.Head == 0 || before.Segments != 1 || before.Bytes == 0 || !before.Writable || before.Scavenge.State != "never" {
		t.Errorf("before: %+v", before)
	}
	if _, err := i.app.store.Delete(t.Context(), domain.Stream("session", gone), streams.Any); err != nil {
		t.Fatal(err)
	}
	call(t, i, "POST", path+"/scavenge", object{"bytesPerSecond": -1}).must(t, http.StatusBadRequest)
	call(t, i, "POST", path+"/scavenge", object{}).must(t, http.StatusAccepted)
	var after shownLog
	eventually(t, "the scavenge ends", func() bool {
		after = decoded[shownLog](t, call(t, i, "GET", path, nil).must(t, http.StatusOK))
		return after.Scavenge.State != "running"
	})
	if after.Scavenge != (shownScavenge{"done", 2, 1}) || after.Segments != 2 {
		t.Errorf("after: %+v", after)
	}
	if s := decoded[shownScavenge](t, call(t, i, "DELETE", path+"/scavenge", nil).must(t, http.StatusOK)); s.State != "done" {
		t.Errorf("cancelled after the end: %+v", s)
	}
	i.addEvent(t, kept, "and more", testKey)
	i.close(t)()
	said, err := strata(t, "scavenge", "--data-dir", dir)
	if err != nil || !strings.HasPrefix(said, "0 events removed") {
		t.Errorf("scavenge: %s %v", said, err)
	}
	if said, err := strata(t, "verify", "--data-dir", dir); err != nil || !strings.Contains(said, " 2 removed") || !strings.Contains(said, " 0 faults") {
		t.Errorf("verify: %s %v", said, err)
	}
	if _, err := strata(t, "scavenge", "everything"); err == nil {
		t.Error("scavenge takes an argument")
	}
	i = install(t, dir)
	if s := i.app.scavenges.Status(); s.State != "done" || s.Report.Removed != 0 {
		t.Errorf("the last scavenge after a restart: %+v", s)
	}
	for e, err := range i.app.store.ReadAll(context.Background(), streams.ReadAll{Filter: &streams.Filter{Categories: []string{"session"}}}) {
		if err != nil || e.Stream == domain.Stream("session", gone) {
			t.Errorf("%s is there: %v", e.Stream, err)
		}
	}
}
