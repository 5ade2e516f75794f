package commands

import (
	"sync"

	"strata/domain"
)

// cache keeps the most recently used entries. An entry that falls out while
// commands run on it stays correct: the log's revisions decide.
type cache struct {
	shards [64]cacheShard
}

type cacheShard struct {
	mu      sync.Mutex
	max     int
	entries map[domain.StreamID]*cached
	// Second-chance clock: cheap, and good enough for "recently used".
	ring []domain.StreamID
	hand int
}

type cached struct {
	entry any
	used  bool
}

func newCache(size int) *cache {
	c := &cache{}
	for i := range c.shards {
		c.shards[i] = cacheShard{max: max(1, size/len(c.shards)), entries: map[domain.StreamID]*cached{}}
	}
	return c
}

// clear drops every entry.
func (c *cache) clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		clear(s.entries)
		s.ring, s.hand = nil, 0
		s.mu.Unlock()
	}
}

func (c *cache) shard(stream domain.StreamID) *cacheShard {
	var sum uint32 = 2166136261 // FNV-1a
	for i := range len(stream) {
		sum = (sum ^ uint32(stream[i])) * 16777619
	}
	return &c.shards[sum%uint32(len(c.shards))]
}

// peek is the entry of a stream if it is kept, else nil.
func (c *cache) peek(stream domain.StreamID) any {
	s := c.shard(stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[stream]; ok {
		return e.entry
	}
	return nil
}

func (c *cache) get(stream domain.StreamID, make func() any) any {
	s := c.shard(stream)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.entries[stream]; ok {
		e.used = true
		return e.entry
	}
	e := &cached{entry: make()}
	if len(s.ring) < s.max {
		s.ring = append(s.ring, stream)
	} else {
		for s.entries[s.ring[s.hand]].used {
			s.entries[s.ring[s.hand]].used = false
			s.hand = (s.hand + 1) % len(s.ring)
		}
		delete(s.entries, s.ring[s.hand])
		s.ring[s.hand] = stream
		s.hand = (s.hand + 1) % len(s.ring)
	}
	s.entries[stream] = e
	return e.entry
}
