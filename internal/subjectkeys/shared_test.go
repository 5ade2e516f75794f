package subjectkeys_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/internal/secrets"
	"strata/internal/subjectkeys"
	"strata/streams"
	"strata/streams/embedded"
)

func sharedLog(t *testing.T, dir string) *embedded.Log {
	t.Helper()
	log, err := embedded.Open(dir, embedded.Options{SegmentSize: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() }) // some tests close it before
	return log
}

func shared(t rapid.TB, log streams.Store, master ...byte) *subjectkeys.Shared {
	t.Helper()
	s, err := subjectkeys.OpenShared(context.Background(), log, masterKey(t, master...))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func masterKey(t rapid.TB, of ...byte) *secrets.Sealer {
	t.Helper()
	if len(of) == 0 {
		of = []byte{1}
	}
	var keys [][]byte
	for _, b := range of {
		keys = append(keys, bytes.Repeat([]byte{b}, secrets.KeySize))
	}
	m, err := secrets.New(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func sealedBy(t rapid.TB, s *subjectkeys.Shared, who streams.Subject, text string) []byte {
	t.Helper()
	sealed, err := s.Seal(nil, who, []byte("bound"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestProcessesShareKeys(t *testing.T) {
	log := sharedLog(t, t.TempDir())
	a, b := shared(t, log), shared(t, log)
	var all sync.WaitGroup
	sealed := make([][]byte, 32)
	for i := range sealed { // several processes give one subject its key at the same time
		all.Go(func() {
			sealed[i] = sealedBy(t, []*subjectkeys.Shared{a, b}[i%2], alice("ws_1"), fmt.Sprint(i))
		})
	}
	all.Wait()
	for i, box := range sealed {
		if !bytes.Equal(box[:16], sealed[0][:16]) {
			t.Errorf("%d is sealed under another key", i)
		}
		for _, s := range []*subjectkeys.Shared{a, b, shared(t, log)} {
			if got, err := s.Open(alice("ws_1"), []byte("bound"), box); err != nil || string(got) != fmt.Sprint(i) {
				t.Errorf("%d opened as %q: %v", i, got, err)
			}
		}
	}
}

// A destroyed key is gone from every process once it has been told, and from the
// log's disk once it was scavenged; others of the subject live on.
func TestDestroyedEverywhere(t *testing.T) {
	dir := t.TempDir()
	log := sharedLog(t, dir)
	here, there := shared(t, log), shared(t, log)
	following, stop := context.WithCancel(t.Context())
	var followed sync.WaitGroup
	followed.Go(func() { _ = there.Follow(following, slog.New(slog.DiscardHandler)) })
	defer followed.Wait()
	defer stop()

	doomed, kept := sealedBy(t, there, alice("ws_1"), "doomed"), sealedBy(t, there, alice("ws_2"), "kept")
	wrapped := wrappedKeys(t, log)
	if len(wrapped) != 2 {
		t.Fatalf("%d keys are in the log", len(wrapped))
	}
	ids, err := here.Living(t.Context(), alice("ws_1"))
	if err != nil || len(ids) != 1 {
		t.Fatalf("living %v, %v", ids, err)
	}
	for range 2 { // repeated, it does nothing
		if err := here.Destroy(t.Context(), streams.KeysOf(streams.Subject{Organization: alice("").Organization, ID: alice("").ID}, ids), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, "the other process drops the key", func() bool {
		_, err := there.Open(alice("ws_1"), []byte("bound"), doomed)
		return errors.Is(err, streams.ErrErased)
	})
	for _, s := range []*subjectkeys.Shared{here, there, shared(t, log)} {
		if _, err := s.Open(alice("ws_1"), []byte("bound"), doomed); !errors.Is(err, streams.ErrErased) {
			t.Errorf("after the destruction: %v", err)
		}
		if got, err := s.Open(alice("ws_2"), []byte("bound"), kept); err != nil || string(got) != "kept" {
			t.Errorf("the other workspace's: %q, %v", got, err)
		}
		if _, err := s.Open(alice("ws_3"), []byte("bound"), append([]byte("0123456789abcdef"), doomed...)); !errors.Is(err, subjectkeys.ErrLost) {
			t.Errorf("a key nobody made: %v", err)
		}
	}
	again := sealedBy(t, there, alice("ws_1"), "second life")
	if bytes.Equal(again[:16], doomed[:16]) {
		t.Error("sealed under the destroyed key")
	}
	if _, err := log.Scavenge(t.Context(), embedded.ScavengeOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if on := filesWith(t, dir, wrapped[0]); on != nil {
		t.Errorf("the wrapped key is still in %v", on)
	}
}

// wrappedKeys are the keys that a log holds, as they are written.
func wrappedKeys(t *testing.T, log streams.Store) (out []string) {
	t.Helper()
	for e, err := range log.ReadAll(t.Context(), streams.ReadAll{Filter: &streams.Filter{Types: []string{"subject_key.made.v1"}}}) {
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(e.Data), `"wrapped":"`)
		text, _, _ := strings.Cut(rest, `"`)
		if _, err := base64.StdEncoding.DecodeString(text); err != nil || text == "" {
			t.Fatalf("key %s: %v", e.Data, err)
		}
		out = append(out, text)
	}
	return out
}

func filesWith(t *testing.T, dir, text string) (out []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(text)) {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestEveryProcessNeedsTheMasterKey(t *testing.T) {
	log := sharedLog(t, t.TempDir())
	sealed := sealedBy(t, shared(t, log, 1), alice("ws_1"), "text")
	if _, err := subjectkeys.OpenShared(t.Context(), log, masterKey(t, 2)); !errors.Is(err, subjectkeys.ErrOtherMaster) {
		t.Errorf("with another master key: %v", err)
	}
	rotated := shared(t, log, 2, 1)
	if got, err := rotated.Open(alice("ws_1"), []byte("bound"), sealed); err != nil || string(got) != "text" {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
}

// Whatever order processes seal, open and destroy in, what was sealed is readable
// by each until its key is destroyed, and by none that is told of it afterwards.
func TestSharedKeysAgainstAModel(t *testing.T) {
	log := sharedLog(t, t.TempDir())
	lives := 0
	rapid.Check(t, func(rt *rapid.T) {
		lives++
		type box struct {
			who    streams.Subject
			sealed []byte
			gone   bool
		}
		nodes := []*subjectkeys.Shared{shared(rt, log), shared(rt, log)}
		var boxes []*box
		subject := rapid.Custom(func(rt *rapid.T) streams.Subject {
			return streams.Subject{Organization: fmt.Sprint("org_", lives), Workspace: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "workspace"),
				ID: rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "id")}
		})
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			n := rapid.IntRange(0, 1).Draw(rt, "node")
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0, 1:
				who := subject.Draw(rt, "seals")
				boxes = append(boxes, &box{who: who, sealed: sealedBy(rt, nodes[n], who, who.Workspace+who.ID)})
			case 2:
				who := subject.Draw(rt, "destroys")
				if rapid.Bool().Draw(rt, "everywhere") {
					who.Workspace = ""
				}
				ids, err := nodes[n].Living(context.Background(), who)
				if err == nil {
					err = nodes[n].Destroy(context.Background(), streams.KeysOf(who, ids), time.Now())
				}
				if err != nil {
					rt.Fatal(err)
				}
				for _, b := range boxes {
					b.gone = b.gone || b.who.ID == who.ID && (who.Workspace == "" || who.Workspace == b.who.Workspace)
				}
				nodes[1-n] = shared(rt, log) // the other has been told; see TestDestroyedEverywhere
			case 3:
				nodes[n] = shared(rt, log) // restarted
			}
		}
		for i, b := range boxes {
			for _, s := range nodes {
				got, err := s.Open(b.who, []byte("bound"), b.sealed)
				if b.gone && !errors.Is(err, streams.ErrErased) || !b.gone && (err != nil || string(got) != b.who.Workspace+b.who.ID) {
					rt.Fatalf("box %d of %v (gone %v): %q, %v", i, b.who, b.gone, got, err)
				}
			}
		}
	})
}
