package memories_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"strata/commands"
	"strata/commands/memories"
	"strata/domain"
	"strata/domain/memory"
	"strata/domain/timer"
	"strata/streams"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a log with a reactor that is handed events by the tests, as often as
// they like. It is the embedding model and the index, too.
type world struct {
	*testing.T
	h    *commands.Handler
	r    *memories.Reactor
	now  time.Time
	last domain.Event

	asked []string // of the model
	fails error
	near  string // what is nearest, and how
	like  float64

	failing []memory.Unembedded
}

var tenant = domain.System("org_1", "ws_1")

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, now: time.Date(2026, 3, 14, 9, 0, 0, 0, time.UTC)}
	codec, err := streams.NewCodec(append(append(memory.FactTypes(), memory.Vectors.Facts...), timer.Aggregate.Facts...), nil, nil)
	w.ok(err)
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	w.ok(err)
	t.Cleanup(func() { w.ok(store.Close()) })
	w.h = commands.New(commands.Config{Store: store, Codec: codec, Now: func() time.Time { return w.now }})
	w.r = memories.New(memories.Config{Handler: w.h, Embedder: w, Index: w, Model: "m", Duplicate: 0.9})
	return w
}

// Embed implements memories.Embedder.
func (w *world) Embed(_ context.Context, p domain.Principal, model string, texts []string) ([][]float32, error) {
	if p.Workspace != "ws_1" || model != "m" {
		w.Errorf("asked %s for %+v", model, p)
	}
	w.asked = append(w.asked, texts...)
	return [][]float32{{3, 4}}, w.fails
}

// Nearest implements memories.Index.
func (w *world) Nearest(context.Context, string, *memory.State, string, []byte) (string, float64, error) {
	return w.near, w.like, nil
}

// Failing implements memories.Index.
func (w *world) Failing(context.Context, int) ([]memory.Unembedded, error) { return w.failing, nil }

// CatchUp implements memories.Index.
func (*world) CatchUp(context.Context) error { return nil }

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// do runs a command on the memory and hands what happened to the reactor.
func (w *world) do(cmd domain.Decider[memory.State]) error {
	w.Helper()
	_, create := cmd.(memory.Add)
	out, err := commands.Run[memory.State, struct{}](w.Context(), w.h, memory.Aggregate,
		commands.Request{Principal: tenant, ID: "mem_1", Create: create}, cmd, nil)
	w.ok(err)
	w.last = w.event(memory.Aggregate.Stream("mem_1"), out.Facts[0])
	return w.r.Handle(w.Context(), w.last)
}

func (w *world) event(stream domain.StreamID, f domain.Fact) domain.Event {
	return domain.Event{ID: domain.NewEventID(), Stream: stream, Fact: f, Meta: domain.Metadata{Organization: "org_1", Workspace: "ws_1"}}
}

// vectors are the facts about the memory's vector.
func (w *world) vectors() (all []domain.Fact) {
	w.Helper()
	err := commands.Events(w.Context(), w.h, memory.Vectors, tenant, "mem_1", func(e domain.Event) bool {
		all = append(all, e.Fact)
		return true
	})
	if domain.CodeOf(err) != domain.CodeNotFound {
		w.ok(err)
	}
	return all
}

func add(content string, expires time.Time) memory.Add {
	return memory.Add{Fields: memory.Fields{Content: content, UserID: "user_bob", ExpiresAt: expires}}
}

func revise(content string) memory.Revise {
	text, _ := json.Marshal(content) //nolint:errchkjson // a string
	return memory.Revise{Patch: domain.Doc{"content": text}}
}

// A text is embedded once, however often the event comes, and again when it changes.
func TestEmbedsOnce(t *testing.T) {
	w := newWorld(t)
	w.near, w.like = "mem_0", 0.89
	w.ok(w.do(add("tea", time.Time{})))
	w.ok(w.r.Handle(t.Context(), w.last))
	w.near, w.like = "mem_0", 0.9
	w.ok(w.do(revise("coffee")))
	w.ok(w.r.Handle(t.Context(), w.last))
	if got := strings.Join(w.asked, ","); got != "tea,coffee" {
		t.Errorf("asked for %s", got)
	}
	all := w.vectors()
	if len(all) != 2 {
		t.Fatalf("facts %+v", all)
	}
	first, _ := all[0].(memory.Embedded)
	second, _ := all[1].(memory.Embedded)
	if first.Of != memory.Fingerprint("tea") || first.Subject != "user_bob" || first.DuplicateOf != "" ||
		second.Of != memory.Fingerprint("coffee") || second.DuplicateOf != "mem_0" {
		t.Errorf("facts %+v", all)
	}
	w.ok(w.do(memory.Forget{}))
	w.ok(w.r.Handle(t.Context(), w.event(memory.Aggregate.Stream("mem_1"), memory.Revised{}))) // one that comes late
	if all = w.vectors(); len(all) != 3 || all[2] != (memory.VectorRemoved{}) {
		t.Errorf("after the end: %+v", all)
	}
}

// A model that is away, or a budget that refuses, is recorded once and keeps nothing
// back, neither the expiry nor what happens next.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	w.fails = domain.Errorf(domain.CodeQuotaExceeded, "the budget is spent").Because(errors.New("a cause for the log"))
	due := w.now.Add(time.Hour)
	w.ok(w.do(add("tea", due)))
	w.ok(w.r.Handle(t.Context(), w.last))
	got, err := commands.Load(t.Context(), w.h, timer.Aggregate, tenant, timer.ID(memories.Expiry, "mem_1"),
		func(l *commands.Loaded[timer.State]) time.Time { return l.State.Due })
	if err != nil || !got.Equal(due) {
		t.Errorf("due %v, %v", got, err)
	}
	want := memory.EmbeddingFailed{Of: memory.Fingerprint("tea"), Model: "m", Code: domain.CodeQuotaExceeded, Reason: "the budget is spent", Subject: "user_bob"}
	if all := w.vectors(); len(all) != 1 || all[0] != want {
		t.Errorf("facts %+v", all)
	}
	w.fails = errors.New("not for the eyes of callers")
	w.ok(w.do(revise("coffee")))
	if all := w.vectors(); len(all) != 2 || strings.Contains(all[1].(memory.EmbeddingFailed).Reason, "eyes") { //nolint:forcetypeassert // a test
		t.Errorf("facts %+v", all)
	}
	w.fails = nil
	w.ok(w.do(revise("milk")))
	if all := w.vectors(); len(all) != 3 {
		t.Errorf("facts %+v", all)
	}
}

// What repeats an earlier memory goes as it was told to, and stays when that has gone.
func TestOnDuplicate(t *testing.T) {
	for _, c := range []struct {
		on       memory.OnDuplicate
		gone     bool // the earlier memory
		want     domain.Fact
		earliers int // events of the earlier one
	}{
		{memory.SkipLater, false, memory.Forgotten{DuplicateOf: "mem_0"}, 1},
		{memory.MergeInto, false, memory.Forgotten{DuplicateOf: "mem_0"}, 2},
		{memory.SkipLater, true, nil, 2},
		{memory.MergeInto, true, nil, 2},
	} {
		w := newWorld(t)
		on0 := func(cmd domain.Decider[memory.State], create bool) {
			_, err := commands.Run[memory.State, struct{}](t.Context(), w.h, memory.Aggregate, commands.Request{Principal: tenant, ID: "mem_0", Create: create}, cmd, nil)
			w.ok(err)
		}
		on0(add("tea", time.Time{}), true)
		if c.gone {
			on0(memory.Forget{}, false)
		}
		w.near, w.like = "mem_0", 0.95
		a := add("tea!", time.Time{})
		a.OnDuplicate, a.Importance = c.on, new(0.9)
		w.ok(w.do(a))
		w.ok(w.r.Handle(t.Context(), w.last)) // delivered again
		var last domain.Fact
		n := 0
		see := func(e domain.Event) bool { last, n = e.Fact, n+1; return true }
		w.ok(commands.Events(t.Context(), w.h, memory.Aggregate, tenant, "mem_1", see))
		if c.want != nil && (last != c.want || n != 2) || c.want == nil && n != 1 {
			t.Errorf("%s, gone %v: %d events, the last %+v", c.on, c.gone, n, last)
		}
		if kept := len(w.vectors()); (kept == 1) != c.gone {
			t.Errorf("%s, gone %v: %d vectors", c.on, c.gone, kept)
		}
		n = 0
		w.ok(commands.Events(t.Context(), w.h, memory.Aggregate, tenant, "mem_0", see))
		if n != c.earliers {
			t.Errorf("%s, gone %v: %d events of the earlier one", c.on, c.gone, n)
		}
	}
}

// A process that stops in the middle of a call has not failed.
func TestStoppingIsNoFailure(t *testing.T) {
	w := newWorld(t)
	w.fails = context.Canceled
	w.ok(w.do(add("tea", time.Time{})))
	before := len(w.vectors())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.r.Handle(ctx, w.last); err == nil || len(w.vectors()) != before {
		t.Errorf("error %v, facts %+v", err, w.vectors())
	}
}

func TestExpires(t *testing.T) {
	w := newWorld(t)
	w.ok(w.do(add("tea", w.now.Add(time.Hour))))
	fired := w.event(timer.Aggregate.Stream("tmr_1"), timer.Fired{Kind: memories.Expiry, Owner: "mem_1"})
	gone := func() bool {
		t.Helper()
		deleted, err := commands.Load(t.Context(), w.h, memory.Aggregate, tenant, "mem_1",
			func(l *commands.Loaded[memory.State]) bool { return l.State.Deleted })
		w.ok(err)
		return deleted
	}
	w.ok(w.r.Handle(t.Context(), fired)) // before its time, as after it was moved
	if gone() {
		t.Error("removed too early")
	}
	w.now = w.now.Add(time.Hour)
	w.ok(w.r.Handle(t.Context(), fired))
	w.ok(w.r.Handle(t.Context(), fired))
	if !gone() {
		t.Error("not removed")
	}
}

func TestCut(t *testing.T) {
	long := strings.Repeat("é", memories.MaxText)
	if got := memories.Cut("a" + long); len(got) > memories.MaxText || len(got) < memories.MaxText-1 || !utf8.ValidString(got) {
		t.Errorf("%d bytes, valid %v", len(got), utf8.ValidString(got))
	}
	if memories.Cut("tea") != "tea" {
		t.Error("a short text was cut")
	}
}
