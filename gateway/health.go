package gateway

import (
	"sync"
	"time"
)

// latencyKind keeps apart times that must not be compared: a whole answer, the
// first frame of a stream, an embedding.
type latencyKind int

const (
	wholeAnswer latencyKind = iota
	firstFrame
	embedding
	latencyKinds
)

const (
	maxTracked = 4096 // targets remembered; clients can invent names
	smoothing  = 0.3  // weight of the newest latency
	// staleAfter is when a latency counts as unknown again, so that a target
	// that once was slow gets another chance.
	staleAfter = 5 * time.Minute
)

// health remembers how targets fared: a circuit breaker and a latency each.
type health struct {
	breaker  Breaker
	now      func() time.Time
	onChange func(target string, open bool)

	mu      sync.Mutex
	targets map[string]*targetHealth
}

type targetHealth struct {
	failures  int // in a row
	openUntil time.Time
	open      bool
	probing   bool // half open: one request is trying
	latencies [latencyKinds]struct {
		average time.Duration
		at      time.Time
	}
	used time.Time
}

func newHealth(b Breaker, now func() time.Time, onChange func(string, bool)) *health {
	return &health{breaker: b, now: now, onChange: onChange, targets: map[string]*targetHealth{}}
}

// admit tells whether a target may be asked. While its breaker is open it may
// not; once the time is over, one request at a time may probe it. Every
// admission is followed by answered, failed or neutral.
func (h *health) admit(key string) (ok bool, again time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.targets[key]
	if t == nil || !t.open {
		return true, 0
	}
	if wait := t.openUntil.Sub(h.now()); wait > 0 {
		return false, wait
	}
	if t.probing {
		return false, time.Second
	}
	t.probing = true
	return true, 0
}

// answered closes the breaker and takes note of the latency. The count of
// failures stays until the answer proves sound: a provider that begins streams
// and breaks them is failing too.
func (h *health) answered(key string, kind latencyKind, took time.Duration) {
	h.mu.Lock()
	t := h.track(key)
	wasOpen := t.open
	t.open, t.probing = false, false
	l := &t.latencies[kind]
	if l.at.IsZero() || h.now().Sub(l.at) > staleAfter {
		l.average = took
	} else {
		l.average += time.Duration(smoothing * float64(took-l.average))
	}
	l.at = t.used
	h.mu.Unlock()
	if wasOpen {
		h.onChange(key, false)
	}
}

// sound forgets earlier failures: an answer was complete.
func (h *health) sound(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.targets[key]; t != nil {
		t.failures = 0
	}
}

// failed counts towards opening the breaker; a failed probe opens it again.
func (h *health) failed(key string) {
	h.mu.Lock()
	t := h.track(key)
	t.failures++
	opens := !t.open && t.failures >= h.breaker.Failures
	if opens || t.open && t.probing {
		t.open = true
		t.openUntil = h.now().Add(h.breaker.OpenFor)
	}
	t.probing = false
	h.mu.Unlock()
	if opens {
		h.onChange(key, true)
	}
}

// neutral ends an admission that says nothing about the target's health.
func (h *health) neutral(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t := h.targets[key]; t != nil {
		t.probing = false
	}
}

// latency returns the recent latency of a target, 0 when it is not known: what
// has not been measured goes first, else it never would be.
func (h *health) latency(key string, kind latencyKind) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.targets[key]
	if t == nil || h.now().Sub(t.latencies[kind].at) > staleAfter {
		return 0
	}
	return t.latencies[kind].average
}

// track returns the state of a target, forgetting the longest unused one when
// there are too many.
func (h *health) track(key string) *targetHealth {
	t := h.targets[key]
	if t == nil {
		if len(h.targets) >= maxTracked {
			oldest := ""
			for k, v := range h.targets {
				if oldest == "" || v.used.Before(h.targets[oldest].used) {
					oldest = k
				}
			}
			delete(h.targets, oldest)
		}
		t = &targetHealth{}
		h.targets[key] = t
	}
	t.used = h.now()
	return t
}
