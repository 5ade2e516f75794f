package subjectkeys_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/internal/secrets"
	"strata/internal/subjectkeys"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func master(t testing.TB, b byte) *secrets.Sealer {
	t.Helper()
	s, err := secrets.New(bytes.Repeat([]byte{b}, secrets.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, path string) *subjectkeys.Store {
	t.Helper()
	s, err := subjectkeys.Open(t.Context(), path, master(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// opened opens a store that is closed with the test.
func opened(t testing.TB) *subjectkeys.Store {
	t.Helper()
	s := open(t, filepath.Join(t.TempDir(), "subjects.db"))
	t.Cleanup(func() { closed(t, s) })
	return s
}

func closed(t testing.TB, s *subjectkeys.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func alice(workspace string) streams.Subject {
	return streams.Subject{Organization: "org_1", Workspace: workspace, ID: "alice"}
}

var bound = []byte("event 1")

func seal(t testing.TB, s *subjectkeys.Store, who streams.Subject, text string) []byte {
	t.Helper()
	sealed, err := s.Seal([]byte{7}, who, bound, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if sealed[0] != 7 || bytes.Contains(sealed, []byte(text)) {
		t.Fatalf("%q is sealed as %q", text, sealed)
	}
	return sealed[1:]
}

func destroy(t testing.TB, s *subjectkeys.Store, who streams.Subject) {
	t.Helper()
	keys, err := s.Find(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]uuid.UUID, len(keys))
	for i, k := range keys {
		ids[i] = k.ID
	}
	if err := s.Destroy(t.Context(), streams.KeysOf(who, ids), time.UnixMicro(1)); err != nil {
		t.Fatal(err)
	}
}

func TestDestroyedKeyOpensNothingAndANewOneIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "subjects.db")
	s := open(t, path)
	if !s.Fresh() {
		t.Error("a new store is not fresh")
	}
	before := seal(t, s, alice("ws_1"), "first life")
	elsewhere := seal(t, s, alice("ws_2"), "another workspace")
	destroy(t, s, alice("ws_1"))
	after := seal(t, s, alice("ws_1"), "second life")
	for range 2 { // as the store remembers, and as it reads
		if _, err := s.Open(alice("ws_1"), bound, before); !errors.Is(err, streams.ErrErased) {
			t.Errorf("erased data opens: %v", err)
		}
		for sealed, want := range map[*byte]string{&elsewhere[0]: "another workspace", &after[0]: "second life"} {
			who, data := alice("ws_1"), after
			if sealed == &elsewhere[0] {
				who, data = alice("ws_2"), elsewhere
			}
			if got, err := s.Open(who, bound, data); err != nil || string(got) != want {
				t.Errorf("%q, %v", got, err)
			}
		}
		closed(t, s)
		s = open(t, path)
	}
	if s.Fresh() {
		t.Error("a store with keys is fresh")
	}
	keys, err := s.Find(t.Context(), streams.Subject{Organization: "org_1", ID: "alice"})
	if err != nil || len(keys) != 3 || !keys[0].Destroyed || keys[1].Destroyed || keys[2].Destroyed {
		t.Errorf("keys %+v, %v", keys, err)
	}
	closed(t, s)
}

// A destroyed key is in no byte of the file and its write-ahead log, also while
// they are open.
func TestDestroyedKeyLeavesNoBytes(t *testing.T) {
	dir := t.TempDir()
	m := &noting{Sealer: master(t, 1)}
	s, err := subjectkeys.Open(t.Context(), filepath.Join(dir, "subjects.db"), m)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { closed(t, s) }()
	for i := range 100 {
		seal(t, s, streams.Subject{Workspace: "ws_1", ID: fmt.Sprint(i)}, "text")
	}
	for i := range 20 {
		destroy(t, s, streams.Subject{Workspace: "ws_1", ID: fmt.Sprint(i)})
	}
	if !inFiles(t, dir, m.wrapped[70]) {
		t.Fatal("a living key is not found: the test looks wrongly")
	}
	for i := range 20 {
		if inFiles(t, dir, m.wrapped[i]) {
			t.Fatalf("the destroyed key %d is still in the files", i)
		}
	}
}

// noting remembers what it has wrapped.
type noting struct {
	*secrets.Sealer
	wrapped [][]byte
}

func (n *noting) Wrap(plain, bound []byte) ([]byte, error) {
	w, err := n.Sealer.Wrap(plain, bound)
	n.wrapped = append(n.wrapped, w)
	return w, err
}

func inFiles(t *testing.T, dir string, what []byte) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, what) {
			return true
		}
	}
	return false
}

func TestLostKeyIsNotErased(t *testing.T) {
	a, b := opened(t), opened(t)
	sealed := seal(t, a, alice("ws_1"), "text")
	if _, err := b.Open(alice("ws_1"), bound, sealed); !errors.Is(err, subjectkeys.ErrLost) || errors.Is(err, streams.ErrErased) {
		t.Errorf("without the key: %v", err)
	}
}

func TestSealedDataIsBound(t *testing.T) {
	s := opened(t)
	sealed := seal(t, s, alice("ws_1"), "text")
	if _, err := s.Open(alice("ws_1"), []byte("event 2"), sealed); !errors.Is(err, subjectkeys.ErrDamaged) {
		t.Errorf("in another event: %v", err)
	}
	if _, err := s.Open(alice("ws_2"), bound, sealed); !errors.Is(err, subjectkeys.ErrDamaged) {
		t.Errorf("for another subject: %v", err)
	}
	for i := range sealed {
		damaged := bytes.Clone(sealed)
		damaged[i] ^= 1
		if got, err := s.Open(alice("ws_1"), bound, damaged); err == nil {
			t.Errorf("byte %d changed: %q", i, got)
		}
		if _, err := s.Open(alice("ws_1"), bound, sealed[:i]); err == nil {
			t.Errorf("cut to %d bytes it opens", i)
		}
	}
}

func TestAnotherMasterKeyOpensNoKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subjects.db")
	s := open(t, path)
	sealed := seal(t, s, alice("ws_1"), "text")
	closed(t, s)
	other, err := subjectkeys.Open(t.Context(), path, master(t, 2))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { closed(t, other) }()
	if _, err := other.Open(alice("ws_1"), bound, sealed); !errors.Is(err, secrets.ErrUnknownKey) {
		t.Errorf("got %v", err)
	}
}

// Any history of sealing, opening, destroying and reopening does what a map of
// the texts would, also with a cache far smaller than the keys.
func TestHistories(t *testing.T) {
	path := filepath.Join(t.TempDir(), "subjects.db")
	s := open(t, path)
	defer func() { closed(t, s) }()
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		type text struct {
			who    streams.Subject
			sealed []byte
			erased bool
		}
		var texts []text
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			who := streams.Subject{Organization: "org_1", Workspace: rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "workspace"),
				ID: fmt.Sprint(round, rapid.IntRange(0, 5).Draw(rt, "subject"))}
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				destroy(t, s, who)
				for i := range texts {
					texts[i].erased = texts[i].erased || texts[i].who == who
				}
			case 1:
				closed(t, s)
				s = open(t, path)
			default:
				texts = append(texts, text{who: who, sealed: seal(t, s, who, fmt.Sprintf("a longer text %d", len(texts)))})
			}
		}
		for i, x := range texts {
			got, err := s.Open(x.who, bound, x.sealed)
			if x.erased && !errors.Is(err, streams.ErrErased) || !x.erased && (err != nil || string(got) != fmt.Sprintf("a longer text %d", i)) {
				rt.Fatalf("text %d (erased %v): %q, %v", i, x.erased, got, err)
			}
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	s := opened(t)
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			for i := range 30 {
				who := streams.Subject{Workspace: "ws_1", ID: fmt.Sprint((n + i) % 20)}
				sealed, err := s.Seal(nil, who, bound, []byte("text"))
				if err != nil {
					t.Error(err)
					return
				}
				if n == 0 && i%10 == 9 {
					destroy(t, s, who)
				}
				if got, err := s.Open(who, bound, sealed); (err != nil || string(got) != "text") && !errors.Is(err, streams.ErrErased) {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 20 {
		living := 0
		keys, err := s.Find(t.Context(), streams.Subject{Workspace: "ws_1", ID: fmt.Sprint(i)})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if !k.Destroyed {
				living++
			}
		}
		if living > 1 {
			t.Errorf("subject %d has %d living keys", i, living)
		}
	}
}

// benchText is as long as a turn of a conversation.
var benchText = bytes.Repeat([]byte("0123456789abcdef"), 32)

func BenchmarkSeal(b *testing.B) {
	s := opened(b)
	who := alice("ws_1")
	for b.Loop() {
		if _, err := s.Seal(nil, who, bound, benchText); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s := opened(b)
	sealed, err := s.Seal(nil, alice("ws_1"), bound, benchText)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Open(alice("ws_1"), bound, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNewSubjects seals for subjects that have no key yet, from many
// callers at once: what a create of a session without a user costs more.
func BenchmarkNewSubjects(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s := opened(b)
			var wg sync.WaitGroup
			per := b.N/callers + 1
			b.ResetTimer()
			for c := range callers {
				wg.Go(func() {
					for i := range per {
						if _, err := s.Seal(nil, streams.Subject{Workspace: "ws_1", ID: fmt.Sprintf("%d_%d", c, i)}, bound, benchText); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkFold opens the data of many subjects in the order in which they came
// to be, as a rebuild does, with nothing in memory.
func BenchmarkFold(b *testing.B) {
	const subjects = 50_000
	path := filepath.Join(b.TempDir(), "subjects.db")
	s := open(b, path)
	sealed := make([][]byte, subjects)
	var wg sync.WaitGroup
	for c := range 100 {
		wg.Go(func() {
			for i := c * subjects / 100; i < (c+1)*subjects/100; i++ {
				var err error
				if sealed[i], err = s.Seal(nil, streams.Subject{Workspace: "ws_1", ID: fmt.Sprint(i)}, bound, benchText); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	order := make([]int, subjects) // as the keys were made: the callers took turns
	for i := range order {
		order[i] = i%100*subjects/100 + i/100
	}
	closed(b, s)
	s = open(b, path)
	defer func() { closed(b, s) }()
	n := 0
	for b.Loop() {
		i := order[n%subjects]
		if _, err := s.Open(streams.Subject{Workspace: "ws_1", ID: fmt.Sprint(i)}, bound, sealed[i]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
