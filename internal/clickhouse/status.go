package clickhouse

import (
	"sync"
	"time"
)

// State of the engine.
type State string

const (
	Starting   State = "starting"   // never served yet
	Ready      State = "ready"      // serves
	Restarting State = "restarting" // served, does not now, and is being brought back
	Missing    State = "missing"    // not installed; nothing is being tried
	Stopped    State = "stopped"    // told to stop
)

// Status tells how the engine is.
type Status struct {
	State    State     `json:"state"`
	PID      int       `json:"pid,omitempty"`        // of the child, embedded only
	Since    time.Time `json:"since"`                // when State was entered, UTC
	Error    string    `json:"last_error,omitempty"` // the last fault, also after recovery
	Restarts int       `json:"restarts"`             // how often it was lost since the start
}

// tracker holds a status and a channel that is closed while the state is Ready.
type tracker struct {
	mu     sync.Mutex
	status Status
	ready  chan struct{}
}

func newTracker() *tracker {
	return &tracker{status: Status{State: Starting, Since: time.Now().UTC()}, ready: make(chan struct{})}
}

func (t *tracker) get() Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// readyNow returns a channel that is closed as soon as, and as long as, the
// engine serves. Ask again after a fault: each loss makes a new channel.
func (t *tracker) readyNow() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ready
}

// set enters a state; a nil error keeps the last one.
func (t *tracker) set(state State, pid int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.status.State
	if was != state {
		t.status.Since = time.Now().UTC()
	}
	t.status.State, t.status.PID = state, pid
	if err != nil {
		t.status.Error = err.Error()
	}
	switch {
	case state == Ready && was != Ready:
		close(t.ready)
	case state != Ready && was == Ready:
		t.ready = make(chan struct{})
		if state == Restarting {
			t.status.Restarts++
		}
	}
}
