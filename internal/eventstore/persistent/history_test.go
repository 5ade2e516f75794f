package persistent

import (
	"fmt"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// history is a group and what a simple reading of it says must be true.
type history struct {
	g       *group
	now     time.Time
	next    [2]int64 // place of the next message of the source, of the parked ones
	all     []*message
	settled map[*message]bool
	tries   map[*message]int
	marked  int64
}

func newHistory(t *rapid.T) *history {
	s := testSettings()
	s.Strategy = rapid.SampledFrom(strategies()).Draw(t, "strategy")
	s.MaxRetryCount = rapid.Int32Range(0, 2).Draw(t, "retries")
	s.MaxSubscribers = 4
	s.MinCheckpoint, s.MaxCheckpoint = 2, 4
	now := time.Unix(0, 0)
	return &history{g: newGroup(s, -1, -1, now), now: now, settled: map[*message]bool{}, tries: map[*message]int{}, marked: -1}
}

func (h *history) events(t *rapid.T, which int) (list []*Event) {
	for range rapid.IntRange(1, 6).Draw(t, "n") {
		at := h.next[which]
		h.next[which]++
		name := id(at*2 + int64(which))
		if rapid.IntRange(0, 9).Draw(t, "twin") == 0 {
			name = id(-1)
		}
		list = append(list, eventUnder(name, at, fmt.Sprint("s", at%3)))
	}
	return list
}

func (h *history) feed(t *rapid.T) {
	list := h.events(t, 0)
	before := h.g.source.open.len()
	h.g.feed(list, h.next[0]-1, rapid.Bool().Draw(t, "live"), h.now)
	open := h.g.source.open
	h.all = append(h.all, open.items[open.head+before:]...)
}

func (h *history) replay(t *rapid.T) {
	list := h.events(t, 1)
	before := h.g.parked.open.len()
	h.g.replay(list, h.now)
	open := h.g.parked.open
	h.all = append(h.all, open.items[open.head+before:]...)
}

func (h *history) connect(t *rapid.T) {
	err := h.g.connect(newConsumer(rapid.IntRange(1, 4).Draw(t, "slots"), true), h.now)
	if (err != nil) != (len(h.g.consumers) == 4) && err != nil {
		t.Fatal(err)
	}
}

func (h *history) any(t *rapid.T) *consumer {
	if len(h.g.consumers) == 0 {
		t.Skip()
	}
	return rapid.SampledFrom(h.g.consumers).Draw(t, "consumer")
}

func (h *history) disconnect(t *rapid.T) { h.g.disconnect(h.any(t), h.now) }

func (h *history) take(t *rapid.T) {
	m, retries, ok := h.g.take(h.any(t), h.now)
	if !ok {
		return
	}
	h.tries[m]++
	if int(retries) != h.tries[m]-1 || h.tries[m] > int(h.g.settings.MaxRetryCount)+1 {
		t.Fatalf("try %d is retry %d", h.tries[m], retries)
	}
}

func (h *history) answer(t *rapid.T) {
	c := h.any(t)
	if c.count == 0 {
		t.Skip()
	}
	id := rapid.SampledFrom(c.sorted()).Draw(t, "message").event.id()
	m := c.answered(id)
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if kind < 2 {
		h.g.ack(c, []uuid.UUID{id}, h.now)
	} else {
		h.g.nack(c, []uuid.UUID{id}, Verdict(kind-1), "", h.now)
	}
	if m != nil && (kind < 2 || Verdict(kind-1) == Skip) {
		h.settled[m] = true
	}
}

func (h *history) wait(t *rapid.T) {
	h.now = h.now.Add(time.Duration(rapid.IntRange(1, 40).Draw(t, "seconds")) * time.Second)
	h.g.tick(h.now)
}

func (h *history) park(*rapid.T) {
	for h.g.parking.len() > 0 {
		m := h.g.parking.pop()
		h.settled[m] = true
		m.ledger.settle(m)
	}
}

func (h *history) checkpoint(t *rapid.T) {
	place, n, due := h.g.checkpoint(h.now, rapid.Bool().Draw(t, "final"))
	if !due {
		return
	}
	if place <= h.marked {
		t.Fatalf("a checkpoint went from %d to %d", h.marked, place)
	}
	h.marked = place
	h.g.checkpointed(place, n, h.now)
}

// places counts where every message is.
func (h *history) places() map[*message]int {
	n := map[*message]int{}
	for _, list := range [][]*message{h.g.fresh, h.g.again, h.g.parking.items[h.g.parking.head:]} {
		for _, m := range list {
			n[m]++
		}
	}
	for _, c := range h.g.consumers {
		for _, m := range c.sorted() {
			n[m]++
		}
	}
	return n
}

func (h *history) check(t *rapid.T) {
	floors, given := [2]int64{-1, -1}, 0
	var open [2]bool
	places := h.places()
	for _, m := range h.all {
		which := 0
		if m.replay {
			which = 1
		}
		want := 1
		if h.settled[m] {
			want = 0
		}
		if places[m] != want || m.settled != h.settled[m] {
			t.Fatalf("message %d (replay %v) is in %d places, want %d", m.at, m.replay, places[m], want)
		}
		if open[which] = open[which] || !h.settled[m]; !open[which] {
			floors[which] = m.at
		}
	}
	if got := [2]int64{h.g.source.floor, h.g.parked.floor}; got != floors {
		t.Fatalf("floors %v, want %v", got, floors)
	}
	pins := map[string]*consumer{}
	for _, c := range h.g.consumers {
		given += c.count
		if c.count > c.slots || c.waiting.len() > c.count {
			t.Fatalf("%d slots, %d given, %d waiting", c.slots, c.count, c.waiting.len())
		}
		for _, m := range c.sorted() {
			if m.owner != c {
				t.Fatal("a message has another owner")
			}
			if was := pins[m.event.key]; was != nil && was != c && h.g.strategy.overtakes() {
				t.Fatalf("%s is with two consumers", m.event.key)
			}
			pins[m.event.key] = c
		}
	}
	if given != h.g.given {
		t.Fatalf("given %d, counted %d", h.g.given, given)
	}
}

// finish lets a good consumer come: in the end nothing is open.
func (h *history) finish(t *rapid.T) {
	h.g.settings.MaxSubscribers = 0
	for len(h.g.consumers) > 0 {
		h.g.disconnect(h.g.consumers[0], h.now)
	}
	c := newConsumer(3, false)
	if err := h.g.connect(c, h.now); err != nil {
		t.Fatal(err)
	}
	for m, _, ok := h.g.take(c, h.now); ok; m, _, ok = h.g.take(c, h.now) {
		h.settled[m] = true
		h.g.ack(c, []uuid.UUID{m.event.id()}, h.now)
	}
	h.park(t)
	h.check(t)
	if h.g.source.floor != h.next[0]-1 || h.g.parked.floor != h.next[1]-1 {
		t.Fatalf("floors %d and %d, want %v - 1", h.g.source.floor, h.g.parked.floor, h.next)
	}
}
