package embedded

import (
	"sync"
	"sync/atomic"

	"strata/domain"
)

// headState is what must be known of a stream to append to it and to read it.
type headState struct {
	last     domain.Revision // NoRevision when nothing was ever written
	seg      *segment        // that holds the last record; nil when there is none
	part     part            // of the stream in seg
	no       uint32          // number of the stream in seg's index, while seg is written
	control  *control        // nil: no metadata, not deleted
	resolved bool            // control has been looked up
}

// deleted tells whether the stream is soft-deleted: deleted, and not written since.
func (s *headState) deleted() bool {
	return s.control != nil && s.control.DeletedBefore > s.last && s.last >= 0
}

func (s *headState) tombstoned() bool { return s.control != nil && s.control.Tombstoned }

// head is the cached state of one stream.
type head struct {
	stream domain.StreamID
	hash   uint64
	used   atomic.Bool // since eviction looked last

	durable headState // what readers see; guarded by the shard

	// Of the writer: the state after the group being put together.
	staged     headState
	dirty      bool
	lastStaged int // index + 1 of the stream's last staged event
}

// heads is a sharded cache of stream heads. Only the writer evicts, between
// groups, and never a head whose last record is in a segment that has no index
// file yet: a stream that is not in the cache can therefore be found in one.
type heads struct {
	shards   [headShards]headShard
	count    atomic.Int64
	capacity int64
	crowded  func() // asks for an eviction
	next     int    // shard at which eviction goes on
}

const headShards = 64

type headShard struct {
	mu        sync.RWMutex
	byName    map[domain.StreamID]*head
	evictions uint64
}

func newHeads(capacity int) *heads {
	h := &heads{capacity: int64(capacity)}
	for i := range h.shards {
		h.shards[i].byName = make(map[domain.StreamID]*head)
	}
	return h
}

func (h *heads) shard(hash uint64) *headShard { return &h.shards[hash%headShards] }

// get returns a cached head, and the number of evictions its shard has seen.
func (h *heads) get(stream domain.StreamID, hash uint64) (*head, headState, uint64) {
	sh := h.shard(hash)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	e, ok := sh.byName[stream]
	if !ok {
		return nil, headState{}, sh.evictions
	}
	if !e.used.Load() {
		e.used.Store(true)
	}
	return e, e.durable, sh.evictions
}

// put caches a state that was looked up, unless the stream came into the cache
// meanwhile: then that state holds. A reader gives the evictions it saw before
// it looked: if there were more since, the state may be an old one by now, good
// enough for the answer, but not for the cache. Readers may overfill the cache a
// little, and then ask the writer to evict. The writer (force) always caches.
func (h *heads) put(stream domain.StreamID, hash uint64, st headState, evictions uint64, force bool) (*head, headState) {
	sh := h.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e, ok := sh.byName[stream]; ok {
		if !e.durable.resolved && st.resolved {
			e.durable.control, e.durable.resolved = st.control, true
		}
		return e, e.durable
	}
	if !force {
		n := h.count.Load()
		if n > h.capacity {
			h.crowded()
		}
		if sh.evictions != evictions || n > h.capacity+h.capacity/4 {
			return nil, st
		}
	}
	e := &head{stream: stream, hash: hash, durable: st}
	sh.byName[stream] = e
	h.count.Add(1)
	return e, st
}

// publish makes a state of a head visible to readers.
func (h *heads) publish(e *head, st headState) {
	sh := h.shard(e.hash)
	sh.mu.Lock()
	e.durable = st
	sh.mu.Unlock()
}

// evict brings the cache back towards its capacity, dropping heads that were not
// used since it last looked. The writer calls it between groups; it looks at no
// more heads than budget, since most may have to stay.
func (h *heads) evict(budget int) {
	for range headShards {
		if budget <= 0 || h.count.Load() <= h.capacity {
			return
		}
		sh := &h.shards[h.next%headShards]
		h.next++
		sh.mu.Lock()
		for name, e := range sh.byName { // begins anywhere
			if budget--; budget < 0 || h.count.Load() <= h.capacity {
				break
			}
			if e.used.Swap(false) || !e.evictable() {
				continue
			}
			delete(sh.byName, name)
			sh.evictions++
			h.count.Add(-1)
		}
		sh.mu.Unlock()
	}
}

func (e *head) evictable() bool {
	if e.durable.seg == nil {
		return true
	}
	_, indexed := e.durable.seg.index().(*fileIndex)
	return indexed
}

// state returns what is durable of a stream.
func (l *Log) state(stream domain.StreamID) (headState, error) {
	hash := streamHash(stream)
	h, st, evictions := l.heads.get(stream, hash)
	if h != nil && st.resolved {
		return st, nil
	}
	st, err := l.lookUp(stream, hash, h, st)
	if err != nil {
		return headState{}, err
	}
	_, st = l.heads.put(stream, hash, st, evictions, false)
	return st, nil
}

// own returns the head of a stream for the writer, with staged state.
func (l *Log) own(stream domain.StreamID) (*head, error) {
	hash := streamHash(stream)
	h, st, evictions := l.heads.get(stream, hash)
	if h == nil || !st.resolved {
		var err error
		if st, err = l.lookUp(stream, hash, h, st); err != nil {
			return nil, err
		}
		h, st = l.heads.put(stream, hash, st, evictions, true)
	}
	if !h.dirty {
		h.staged = st
	}
	return h, nil
}

// lookUp completes the state of a stream from the segments.
func (l *Log) lookUp(stream domain.StreamID, hash uint64, h *head, st headState) (headState, error) {
	if h == nil {
		var err error
		if st, err = l.locate(stream, hash); err != nil {
			return st, err
		}
	}
	c, err := l.lookUpControl(stream)
	st.control, st.resolved = c, true
	return st, err
}

// locate finds the last record of a stream that is not in the cache: in sealed
// segments, newest first.
func (l *Log) locate(stream domain.StreamID, hash uint64) (headState, error) {
	segments := l.list()
	seg, p, err := l.partBefore(stream, hash, segments[len(segments)-1].no)
	if err != nil || seg == nil {
		return headState{last: domain.NoRevision}, err
	}
	return headState{last: p.lastRevision(), seg: seg, part: p}, nil
}

// partBefore finds the newest part of a stream in the segments before one.
func (l *Log) partBefore(stream domain.StreamID, hash uint64, before uint32) (*segment, part, error) {
	segments := l.list()
	for i := int(before-segments[0].no) - 1; i >= 0; i-- {
		if l.spanOf(i).excludes(hash) {
			i -= filterSpan - 1
			continue
		}
		if isSystem(stream) && !segments[i].index().system() {
			continue
		}
		p, ok, err := segments[i].find(stream, hash)
		if err != nil || ok {
			return segments[i], p, err
		}
	}
	return nil, part{}, nil
}
