package live

import (
	"encoding/json"
	"slices"
	"sync"

	"strata/domain"
	"strata/internal/view"
	"strata/streams"
)

// Bounds of what a room keeps for those who are not up to date.
const (
	ringEvents = 1024
	ringBytes  = 4 << 20
	ringTicks  = 8 // of the tail's clock
)

// entry is an event in a room. It is rendered when the first client wants it,
// and then once for each shape.
type entry struct {
	recorded streams.Recorded
	tick     uint64 // when it came, by the tail's clock
	decode   sync.Once
	event    view.Event
	text     []byte
	err      error
	wires    [shapes]struct {
		once  sync.Once
		bytes []byte
	}
}

// size is about what the entry holds in memory once it is rendered.
func (e *entry) size() int { return 3*len(e.recorded.Data) + len(e.recorded.Meta) + 256 }

// wire is the event as clients of a shape get it.
func (e *entry) wire(show func(streams.Recorded) (view.Event, error), s shape) ([]byte, error) {
	e.decode.Do(func() {
		if e.event, e.err = show(e.recorded); e.err == nil {
			e.text, e.err = json.Marshal(e.event)
		}
	})
	if e.err != nil {
		return nil, e.err
	}
	w := &e.wires[s]
	w.once.Do(func() { w.bytes = appendEvent(nil, s, e.recorded.Position, e.event.Type, e.text) })
	return w.bytes, nil
}

// room is what happens in a workspace: its latest events and who follows them.
type room struct {
	workspace string
	followers int // with those who are not joined; guarded by the hub's mutex

	mu     sync.Mutex
	from   domain.Position // the ring holds every public event after it that was published
	ring   []*entry        // ordered by position
	bytes  int
	groups map[string]*group
}

// group are the followers with the same interest.
type group struct {
	key     string
	want    Interest
	members []*follower
}

// publish takes an event in and wakes those who want it.
func (r *room) publish(e *entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring = append(r.ring, e)
	r.bytes += e.size()
	r.trim(e.tick)
	for _, g := range r.groups {
		if g.want.wants(e.recorded.Type) {
			for _, f := range g.members {
				f.wakeFor(e.recorded.Position)
			}
		}
	}
}

// trim lets go of what is too old or too much. The mutex is held.
func (r *room) trim(tick uint64) {
	n := 0
	for n < len(r.ring) && (len(r.ring)-n > ringEvents || r.bytes > ringBytes && n < len(r.ring)-1 || tick-r.ring[n].tick > ringTicks) {
		r.bytes -= r.ring[n].size()
		r.from = r.ring[n].recorded.Position
		n++
	}
	if r.ring = slices.Delete(r.ring, 0, n); len(r.ring) == 0 {
		r.ring = nil
	}
}

// after finds the first entry after a position. The mutex is held.
func (r *room) after(at domain.Position) []*entry {
	i, found := slices.BinarySearchFunc(r.ring, at, func(e *entry, at domain.Position) int {
		switch {
		case e.recorded.Position < at:
			return -1
		case e.recorded.Position > at:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	return r.ring[i:]
}

// join lets a follower in when the ring holds everything it does not have yet.
func (r *room) join(f *follower) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f.left || f.at < r.from {
		return false
	}
	r.enter(f)
	f.joined, f.tell = true, true
	return true
}

// enter puts a follower into the group of its interest. The mutex is held.
func (r *room) enter(f *follower) {
	key := f.want.key()
	g := r.groups[key]
	if g == nil {
		g = &group{key: key, want: f.want}
		r.groups[key] = g
	}
	f.group, f.place = g, len(g.members)
	g.members = append(g.members, f)
}

// exit takes a follower out of its group, if it is in one. The mutex is held.
func (r *room) exit(f *follower) {
	g := f.group
	if g == nil {
		return
	}
	last := len(g.members) - 1
	g.members[f.place] = g.members[last]
	g.members[f.place].place = f.place
	g.members[last] = nil
	if g.members = g.members[:last]; last == 0 {
		delete(r.groups, g.key)
	}
	f.group, f.joined = nil, false
}

// leave takes a follower out for good.
func (r *room) leave(f *follower) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f.left = true
	r.exit(f)
}
