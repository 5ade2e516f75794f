package embedded

import (
	"slices"
	"sync"
	"sync/atomic"

	"strata/domain"
)

// memIndex is the index of the segment being written, and of a sealed one until
// its file is there. One goroutine adds; any number read what has been
// published, without locks: entries live in chunks that never move.
type memIndex struct {
	chunks atomic.Pointer[[]*memChunk]
	n      atomic.Uint32

	cats, types dict

	// Of the writer alone until the segment is sealed, then constant.
	streams []memStream
	byName  map[domain.StreamID]uint32
	hasSys  atomic.Bool
	hasGone atomic.Bool
}

type memChunk [memChunkSize]memEntry

const memChunkSize = 4096

type memEntry struct {
	off      uint32
	id       uint32
	prev     uint32 // ordinal + 1 of the stream's record before, 0 for none in the segment
	stream   uint32 // in memIndex.streams
	cat, typ uint16
}

// memStream is a stream with records in the segment.
type memStream struct {
	name  domain.StreamID
	hash  uint64
	first domain.Revision
	prev  uint32 // segment
	count uint32
	last  uint32 // ordinal
	cat   uint16
}

// newMemIndex makes an index of a segment whose records begin at an offset.
func newMemIndex(start uint32) *memIndex {
	m := &memIndex{byName: make(map[domain.StreamID]uint32)}
	chunks := []*memChunk{new(memChunk)}
	chunks[0][0].off = start
	m.chunks.Store(&chunks)
	return m
}

// open begins a stream in the segment and returns its number.
func (m *memIndex) open(name domain.StreamID, hash uint64, first domain.Revision, prev uint32) uint32 {
	no := uint32(len(m.streams))
	m.streams = append(m.streams, memStream{
		name: name, hash: hash, first: first, prev: prev, cat: m.cats.number(name.Category()),
	})
	m.byName[name] = no
	if isSystem(name) {
		m.hasSys.Store(true)
	}
	return no
}

// add publishes the next record, of an opened stream, and returns its ordinal.
func (m *memIndex) add(stream uint32, id uint32, typ string, size int) uint32 {
	ord := m.n.Load()
	s := &m.streams[stream]
	e := m.at(ord)
	e.id, e.stream = id, stream
	e.cat, e.typ = s.cat, m.types.number(typ)
	if typ == "" {
		m.hasGone.Store(true)
	}
	if s.count > 0 {
		e.prev = s.last + 1
	}
	s.last = ord
	s.count++
	// The end of this record is the offset of the next. It is written once,
	// before readers may look at it, so that they need no lock.
	m.grow(ord + 1)
	m.at(ord + 1).off = e.off + uint32(size)
	m.n.Store(ord + 1)
	return ord
}

func (m *memIndex) grow(ord uint32) {
	chunks := *m.chunks.Load()
	if int(ord/memChunkSize) < len(chunks) {
		return
	}
	more := append(slices.Clip(chunks), new(memChunk))
	m.chunks.Store(&more)
}

func (m *memIndex) at(ord uint32) *memEntry {
	return &(*m.chunks.Load())[ord/memChunkSize][ord%memChunkSize]
}

func (m *memIndex) count() uint32             { return m.n.Load() }
func (m *memIndex) offset(ord uint32) uint32  { return m.at(ord).off }
func (m *memIndex) idHash(ord uint32) uint32  { return m.at(ord).id }
func (m *memIndex) category(n uint16) string  { return m.cats.name(n) }
func (m *memIndex) eventType(n uint16) string { return m.types.name(n) }
func (m *memIndex) system() bool              { return m.hasSys.Load() }
func (m *memIndex) removed() bool             { return m.hasGone.Load() }
func (m *memIndex) labels(ord uint32) (uint16, uint16) {
	e := m.at(ord)
	return e.cat, e.typ
}

// find must not be called before the segment is sealed.
func (m *memIndex) find(stream domain.StreamID, _ uint64, _ func(uint32) (bool, error)) (part, bool, error) {
	no, ok := m.byName[stream]
	if !ok {
		return part{}, false, nil
	}
	s := &m.streams[no]
	return part{first: s.first, count: s.count, prev: s.prev, at: s.last, last: s.last}, true, nil
}

func (m *memIndex) ordinals(dst []uint32, p part, from, to domain.Revision) []uint32 {
	start := len(dst)
	ord := p.at
	for rev := p.lastRevision(); rev >= from; rev-- {
		if rev <= to {
			dst = append(dst, ord)
		}
		if rev == p.first {
			break
		}
		ord = m.at(ord).prev - 1
	}
	slices.Reverse(dst[start:])
	return dst
}

// dict numbers the names of one kind in a segment.
type dict struct {
	mu    sync.RWMutex
	names []string
	byStr map[string]uint16 // of the writer
}

// number is for the writer.
func (d *dict) number(name string) uint16 {
	if n, ok := d.byStr[name]; ok {
		return n
	}
	if len(d.names) == int(unnamed) {
		return unnamed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.byStr == nil {
		d.byStr = make(map[string]uint16)
	}
	n := uint16(len(d.names))
	d.names = append(d.names, name)
	d.byStr[name] = n
	return n
}

func (d *dict) name(n uint16) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if int(n) >= len(d.names) {
		return ""
	}
	return d.names[n]
}
