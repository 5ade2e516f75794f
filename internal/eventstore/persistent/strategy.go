package persistent

import "hash/fnv"

// strategy chooses who gets a message. All work on the consumers in the order
// in which they came.
type strategy interface {
	// pick returns a consumer with a free slot, or nil if the message has to wait.
	pick(m *message, all []*consumer) *consumer
	// overtakes tells whether others may be handed out while a message waits.
	overtakes() bool
	// left says that a consumer is gone.
	left(c *consumer)
	// settled says that a message that was handed out has its answer.
	settled(m *message)
}

func newStrategy(name string) strategy {
	switch name {
	case DispatchToSingle:
		return &inOrder{}
	case Pinned, PinnedByCorrelation:
		return &pinned{}
	default:
		return &inOrder{turns: true}
	}
}

// inOrder gives to the first who has a slot, beginning with the first consumer
// or, in turns, with the one after the last that was given something.
type inOrder struct {
	turns bool
	next  int
}

func (s *inOrder) pick(_ *message, all []*consumer) *consumer {
	for i := range all {
		at := (s.next + i) % len(all)
		if all[at].free() > 0 {
			if s.turns {
				s.next = at + 1
			}
			return all[at]
		}
	}
	return nil
}

func (*inOrder) overtakes() bool  { return false }
func (*inOrder) left(*consumer)   {}
func (*inOrder) settled(*message) {}

// bucketCount is the number of buckets that streams are hashed into.
const bucketCount = 1024

// bucket is what is pinned: all streams with one hash.
type bucket struct {
	owner *consumer
	given int // messages its owner has not answered
}

// pinned gives all messages of a stream to one consumer. Buckets move to a new
// consumer only between two messages, so that the order within a stream is kept.
type pinned struct {
	buckets [bucketCount]bucket
}

func (s *pinned) of(m *message) *bucket {
	h := fnv.New32a()
	_, _ = h.Write([]byte(m.event.key)) // never fails
	return &s.buckets[h.Sum32()%bucketCount]
}

func (s *pinned) pick(m *message, all []*consumer) *consumer {
	b := s.of(m)
	if b.given == 0 {
		s.assign(b, all)
	}
	if b.owner == nil || b.owner.free() <= 0 {
		return nil
	}
	b.given++
	return b.owner
}

// assign gives a bucket that rests to the consumer with the fewest, if it has
// no owner or its owner has more than its share.
func (s *pinned) assign(b *bucket, all []*consumer) {
	if len(all) == 0 {
		return
	}
	least, total := all[0], 0
	for _, c := range all {
		total += c.buckets
		if c.buckets < least.buckets {
			least = c
		}
	}
	share := (total + len(all) - 1) / len(all)
	if b.owner == nil || b.owner.buckets > share {
		if b.owner != nil {
			b.owner.buckets--
		}
		b.owner = least
		least.buckets++
	}
}

func (*pinned) overtakes() bool { return true }

func (s *pinned) left(c *consumer) {
	for i := range s.buckets {
		if s.buckets[i].owner == c {
			s.buckets[i] = bucket{}
		}
	}
}

func (s *pinned) settled(m *message) {
	if b := s.of(m); b.given > 0 && b.owner == m.owner {
		b.given--
	}
}
