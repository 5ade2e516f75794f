package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"strata/domain"
	"strata/streams"
)

// segment removes from one sealed segment what is to go, if there is anything.
func (s *scavenger) segment(ctx context.Context, seg *segment) error {
	concerned := false
	err := s.log.using(ctx, func() (err error) {
		concerned, err = s.concerns(seg)
		return err
	})
	if err != nil || !concerned {
		return err
	}
	w, err := s.rewrite(ctx, seg)
	if err != nil || w.removed == 0 {
		return errors.Join(err, w.discard(s.log.opts.FS))
	}
	before := seg.index().offset(seg.index().count())
	if err := s.replace(seg, w); err != nil {
		return err
	}
	s.report.Rewritten++
	s.report.Removed += w.removed
	s.report.Freed += int64(before) - w.off
	return nil
}

// concerns tells whether a segment holds something to remove, as far as its
// index can tell: two names may have one hash.
func (s *scavenger) concerns(seg *segment) (bool, error) {
	c, err := seg.columns()
	if err != nil {
		return false, err
	}
	f, ok := c.index.(*fileIndex)
	if !ok {
		return false, nil // its index could not be written; the next opening tries again
	}
	if err := f.check(regionTable); err != nil {
		_, err = seg.repair(f, err)
		return false, err
	}
	gone := f.removedType()
	le := binary.LittleEndian
	for i := 0; i < len(f.table); i += indexStreamSize {
		e := f.table[i : i+indexStreamSize]
		cut, ok := s.hashes[le.Uint64(e)]
		if !ok {
			continue
		}
		p := part{first: domain.Revision(le.Uint64(e[8:])), at: le.Uint32(e[16:]), count: le.Uint32(e[20:])}
		// What was removed is the beginning of a stream.
		for _, ord := range f.ordinals(nil, p, p.first, p.lastRevision()) {
			if _, typ := f.labels(ord); typ == gone && f.removed() {
				continue
			}
			removes := false
			err := seg.fetch(c, []uint32{ord}, new(readBuffer), func(r *record) { removes = cut.removes(r) })
			if removes || err != nil {
				return removes, err
			}
			break
		}
	}
	return false, nil
}

// removedType returns the number that the type of removed records has in the
// index; it means nothing when there are none.
func (x *fileIndex) removedType() uint16 {
	for n := range unnamed {
		if x.eventType(n) == "" {
			return n
		}
	}
	return unnamed
}

// rewriting is a segment file in the making.
type rewriting struct {
	file    File
	path    string
	buf     []byte // not written yet
	off     int64  // end of the records, buf included
	group   uint32 // where the append being copied begins
	index   *indexBuilder
	removed uint64
}

// rewriteChunk is what is written at once, and between two looks at the throttle.
const rewriteChunk = 256 << 10

// rewrite copies a segment under another name without what is to go. Every
// record is checked on the way: damage is not copied, it ends the scavenge. The
// rewriting returned has to be discarded or put in place also after an error.
func (s *scavenger) rewrite(ctx context.Context, seg *segment) (*rewriting, error) {
	c := seg.now.Load()
	w := &rewriting{path: seg.path + tmpSuffix, off: segmentHeaderSize, index: newIndexBuilder(segmentHeaderSize)}
	var err error
	if w.file, err = s.log.opts.FS.Open(w.path, true); err != nil {
		return w, fmt.Errorf("create %s: %w", w.path, err)
	}
	w.buf = append(w.buf, encodeSegmentHeader(seg.no, seg.base)...)
	src := &source{file: c.file, path: seg.path, size: int64(c.offset(c.count()))}
	off := int64(segmentHeaderSize)
	for ord := range c.count() {
		b, err := src.record(off)
		if err != nil {
			return w, err
		}
		var r record
		if err := decodeRecord(b, &r); err != nil {
			return w, &CorruptError{File: seg.path, Offset: off, Reason: err.Error()}
		}
		if want := seg.base + domain.Position(ord); r.position != want {
			return w, &CorruptError{File: seg.path, Offset: off, Reason: fmt.Sprintf("record has position %d, not %d", r.position, want)}
		}
		cut, ok := s.cuts[domain.StreamID(r.stream)]
		off += int64(r.size)
		w.add(b[:r.size], &r, ok && cut.removes(&r))
		if len(w.buf) >= rewriteChunk || ord == c.count()-1 {
			n, err := w.flush()
			if err != nil {
				return w, err
			}
			if err := s.pace.wait(ctx, 2*n); err != nil { // read and written
				return w, err
			}
		}
	}
	w.keepOlder(c)
	return w, nil
}

// add copies a record, or what remains of it. Records say where their append
// begins, which is elsewhere now.
func (w *rewriting) add(b []byte, r *record, remove bool) {
	if r.flags&flagFirst != 0 {
		w.group = uint32(w.off)
	}
	start := len(w.buf)
	if remove {
		w.removed++
		e := streams.Proposed{ID: r.id}
		w.buf = appendRecord(w.buf, domain.StreamID(r.stream), &e,
			place{group: w.group, flags: r.flags | flagRemoved, position: r.position, revision: r.revision, at: r.at})
		r.typ, r.size = nil, len(w.buf)-start
	} else {
		w.buf = append(w.buf, b...)
		le, copied := binary.LittleEndian, w.buf[start:]
		le.PutUint32(copied[8:], w.group)
		le.PutUint32(copied, crc32.Checksum(copied[4:], crcTable))
	}
	w.index.add(w.off, r)
	w.off += int64(r.size)
}

// keepOlder takes over, from the index there was, in which segment the part
// before of every stream is. A hash of two streams tells of neither.
func (w *rewriting) keepOlder(c *content) {
	f, ok := c.index.(*fileIndex)
	if !ok || f.check(regionTable) != nil {
		return // then it is looked for when it is needed
	}
	le := binary.LittleEndian
	prev := make(map[uint64]uint32, f.streams)
	for i := 0; i < len(f.table); i += indexStreamSize {
		hash, no := le.Uint64(f.table[i:]), le.Uint32(f.table[i+24:])
		if _, twice := prev[hash]; twice {
			no = unknownSegment
		}
		prev[hash] = no
	}
	list := w.index.index.streams
	for i := range list {
		if no, ok := prev[list[i].hash]; ok {
			list[i].prev = no
		}
	}
}

func (w *rewriting) flush() (n int, err error) {
	n = len(w.buf)
	if _, err := w.file.WriteAt(w.buf, w.off-int64(n)); err != nil {
		return 0, fmt.Errorf("write %s: %w", w.path, err)
	}
	w.buf = w.buf[:0]
	return n, nil
}

// discard removes what was written.
func (w *rewriting) discard(fsys FS) error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	if rerr := fsys.Remove(w.path); err == nil {
		err = rerr
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", w.path, err)
	}
	return nil
}

// replace puts a rewritten segment in the place of the one there is. Until the
// rename nothing has happened; from it on the new file is used whatever fails,
// for it is the one that a restart would find, and its index can be made from it.
func (s *scavenger) replace(seg *segment, w *rewriting) error {
	opts := &s.log.opts
	if !opts.NoSync {
		if err := w.file.Sync(); err != nil {
			return errors.Join(fmt.Errorf("sync %s: %w", w.path, err), w.discard(opts.FS))
		}
	}
	seg.mu.Lock()
	if err := opts.FS.Rename(w.path, seg.path); err != nil {
		seg.mu.Unlock()
		return errors.Join(fmt.Errorf("rename %s: %w", w.path, err), w.discard(opts.FS))
	}
	m := w.index.index
	name := indexPath(seg.path)
	next, unmaps := &content{m, w.file}, []func() error(nil)
	err := writeWhole(opts.FS, s.log.dir, name, encodeIndex(m, seg.no, seg.base), !opts.NoSync)
	if err == nil {
		var x *fileIndex
		if x, err = openIndex(opts.FS, name); err == nil {
			next.index, unmaps = x, append(unmaps, x.unmap)
		}
	}
	old := seg.now.Swap(next)
	unmaps, seg.unmaps = seg.unmaps, unmaps
	seg.mu.Unlock()
	s.log.removed.Store(true)
	return errors.Join(err, s.retire(old, unmaps))
}

// retire lets go of a content when nobody reads it any more: all reading is done
// in steps that hold the gate, and new ones begin with the new content.
func (s *scavenger) retire(old *content, unmaps []func() error) error {
	l := s.log
	l.filterMu.Lock() // whoever makes a filter reads indexes without the gate
	l.gate.Lock()
	//lint:ignore SA2001 there is nothing to do but to wait for those who hold it
	l.gate.Unlock()
	l.filterMu.Unlock()
	var faults []error
	for _, unmap := range unmaps {
		faults = append(faults, unmap())
	}
	return errors.Join(append(faults, old.file.Close())...)
}

// throttle spreads work over time.
type throttle struct {
	perSecond int64 // bytes; 0 for no limit
	begin     time.Time
	done      int64
}

// wait waits until all bytes done since the beginning, n more by now, are due.
func (t *throttle) wait(ctx context.Context, n int) error {
	if t.done += int64(n); t.perSecond == 0 {
		return ctx.Err()
	}
	due := t.begin.Add(time.Duration(float64(t.done) / float64(t.perSecond) * float64(time.Second)))
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
