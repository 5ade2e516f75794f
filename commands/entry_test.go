package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"strata/domain"
	"strata/domain/session"
	"strata/streams"
	"strata/streams/embedded"
)

// sessions makes a handler of sessions over a store of its own.
func sessions(t *testing.T) *Handler {
	t.Helper()
	codec, err := streams.NewCodec(session.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(Config{Store: store, Codec: codec})
}

// A retry that meets its first try in one batch, with another command between
// them, waits until the log has what it is to be answered with.
func TestRetryInTheBatchOfItsFirstTry(t *testing.T) {
	h := sessions(t)
	e := entryOf(h, session.Aggregate, "ses_1", false)
	p := domain.Principal{Actor: "user_ann", Organization: "org_1", Workspace: "ws_1"}
	shown := make([]int64, 0, 4)
	command := func(key string, cmd domain.Decider[session.State]) *op[session.State] {
		return &op[session.State]{
			req: Request{Principal: p, ID: "ses_1", Create: true, IdempotencyKey: key, Route: "r"}, cmd: cmd, done: make(chan struct{}),
			see: func(l *Loaded[session.State]) { shown = append(shown, l.State.EventCount) },
		}
	}
	add := session.AddEvent{Author: "user", Content: json.RawMessage(`{"text":"hello"}`)}
	batch := []*op[session.State]{
		command("", session.Create{}), command("k", add), command("", add), command("k", add),
	}
	if done := e.process(batch); done != 3 {
		t.Fatalf("%d commands are done, want the three before the retry: %v", done, batch[1].err)
	}
	retry := batch[3]
	if done := e.process(batch[3:]); done != 1 || retry.err != nil || !retry.repeated || retry.revision != 1 {
		t.Errorf("the retry: done %d, error %v, repeated %v, revision %d", done, retry.err, retry.repeated, retry.revision)
	}
	if got := shown[len(shown)-1]; got != 1 {
		t.Errorf("the retry saw %d events, as the first try did: 1", got)
	}
}

// narrow is a store that takes few events at once, like one on a server with a
// limit of its own.
type narrow struct {
	streams.Store
	most int
}

func (n narrow) Append(ctx context.Context, stream domain.StreamID, expected streams.Expected, events ...streams.Proposed) (streams.Result, error) {
	if len(events) > n.most {
		return streams.Result{}, streams.ErrTooLarge
	}
	return n.Store.Append(ctx, stream, expected, events...)
}

// Commands that are too large together are appended in parts; only one that is
// too large by itself is refused.
func TestBatchesThatAreTooLarge(t *testing.T) {
	codec, err := streams.NewCodec(session.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, most := range []int{3, 1, 0} {
		id := fmt.Sprintf("ses_%d", most)
		h := New(Config{Store: narrow{store, most}, Codec: codec})
		e := entryOf(h, session.Aggregate, id, false)
		p := domain.Principal{Actor: "user_ann", Organization: "org_1", Workspace: "ws_1"}
		batch := make([]*op[session.State], 10)
		for i := range batch {
			batch[i] = &op[session.State]{req: Request{Principal: p, ID: id, Create: true}, done: make(chan struct{}), see: func(*Loaded[session.State]) {},
				cmd: session.AddEvent{Author: "user", Content: json.RawMessage(`{"text":"hello"}`)}}
		}
		batch[0].cmd = session.Create{}
		for rest := batch; len(rest) > 0; {
			rest = rest[e.process(rest):]
		}
		for i, o := range batch {
			if most > 0 && (o.err != nil || o.revision != domain.Revision(i) || o.position == 0) {
				t.Errorf("at most %d: command %d: revision %d, position %d, %v", most, i, o.revision, o.position, o.err)
			}
			if most == 0 && domain.CodeOf(o.err) != domain.CodePayloadTooLarge && i == 0 {
				t.Errorf("a command that is too large by itself: %v", o.err)
			}
		}
	}
}
