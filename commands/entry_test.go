package commands

import (
	"encoding/json"
	"testing"

	"strata/domain"
	"strata/domain/session"
	"strata/streams"
	"strata/streams/embedded"
)

// A retry that meets its first try in one batch, with another command between
// them, waits until the log has what it is to be answered with.
func TestRetryInTheBatchOfItsFirstTry(t *testing.T) {
	codec, err := streams.NewCodec(session.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	h := New(Config{Store: store, Codec: codec})
	e := entryOf(h, session.Aggregate, "ses_1")
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
