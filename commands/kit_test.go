package commands_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
	"strata/domain/catalogue"
	"strata/domain/claim"
	"strata/domain/session"
	"strata/streams"
	"strata/streams/embedded"
)

// world is a handler over a real log, with a clock that only moves when told.
type world struct {
	t     *testing.T
	dir   string
	store *embedded.Log
	codec *streams.Codec
	h     *commands.Handler
	res   *commands.Resources

	mu  sync.Mutex
	now time.Time
}

type fakeSealer struct{}

func (fakeSealer) Seal(plain string) (string, error) { return "sealed:" + fmt.Sprint(len(plain)), nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	var facts []domain.FactType
	facts = append(facts, catalogue.FactTypes()...)
	facts = append(facts, claim.Aggregate.Facts...)
	facts = append(facts, budget.FactTypes()...)
	facts = append(facts, session.FactTypes()...)
	codec, err := streams.NewCodec(facts, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: t.TempDir(), codec: codec, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	w.open()
	t.Cleanup(func() { _ = w.store.Close() })
	return w
}

func (w *world) open() {
	w.t.Helper()
	store, err := embedded.Open(w.dir, embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	if err != nil {
		w.t.Fatal(err)
	}
	w.store = store
	w.h = commands.New(commands.Config{Store: store, Codec: w.codec, Now: w.clock})
	w.res = commands.NewResources(w.h, fakeSealer{}, catalogue.All())
}

// restart forgets everything that is only in memory.
func (w *world) restart() {
	w.t.Helper()
	if err := w.store.Close(); err != nil {
		w.t.Fatal(err)
	}
	w.open()
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// events counts what the log holds.
func (w *world) events() int {
	n := 0
	for _, err := range w.store.ReadAll(context.Background(), streams.ReadAll{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		n++
	}
	return n
}

func principal(workspace string) domain.Principal {
	return domain.Principal{Actor: "user_ann", Organization: "org_1", Workspace: workspace, Permissions: map[string]bool{"*": true}}
}

func wantCode(t *testing.T, err error, code domain.Code) {
	t.Helper()
	if err == nil || domain.CodeOf(err) != code {
		t.Fatalf("got error %v, want one of code %s", err, code)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
