package commands

import (
	"context"
	"fmt"
	"testing"

	"strata/domain"
	"strata/domain/session"
)

// kept counts the streams whose state is in memory.
func (c *cache) kept() (n int) {
	for i := range c.shards {
		c.shards[i].mu.Lock()
		n += len(c.shards[i].entries)
		c.shards[i].mu.Unlock()
	}
	return n
}

// Commands in passing leave nothing in memory, and are decided with those that do.
func TestPassingCommandsAreNotKept(t *testing.T) {
	h := sessions(t)
	p := domain.Principal{Actor: "user_ann", Organization: "org_1", Workspace: "ws_1"}
	run := func(id string, create, passing bool, cmd domain.Decider[session.State]) domain.Revision {
		t.Helper()
		out, err := Run[session.State, struct{}](context.Background(), h, session.Aggregate, Request{Principal: p, ID: id, Create: create, Passing: passing}, cmd, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out.Revision
	}
	say := session.AddEvent{Author: "user", Content: []byte(`{"text":"hello"}`)}
	for n := range 100 {
		id := fmt.Sprintf("ses_%d", n)
		run(id, true, true, session.Create{})
		run(id, false, true, say)
	}
	if n := h.cache.kept(); n != 0 {
		t.Errorf("%d states are kept", n)
	}
	// One that somebody else uses is used, too; and what was written in passing is seen.
	run("ses_0", false, false, say)
	run("ses_0", false, true, say)
	if got := run("ses_0", false, false, say); got != 4 {
		t.Errorf("revision %d, want 4", got)
	}
	if n := h.cache.kept(); n != 1 {
		t.Errorf("%d states are kept, want that of the session in use", n)
	}
}
