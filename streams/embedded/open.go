package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"strata/domain"
)

// load opens the segments, recovers the last one and prepares the writer.
func (l *Log) load() error {
	numbers, err := l.scanDir()
	if err != nil {
		return err
	}
	if len(numbers) == 0 {
		f, err := createSegment(l.opts.FS, l.dir, 1, 1, l.opts.SegmentSize, !l.opts.NoSync)
		if err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		numbers = []uint32{1}
	}
	list := make([]*segment, 0, len(numbers))
	for _, no := range numbers {
		s, err := l.openSegment(no)
		if err != nil {
			l.segments.Store(&list) // so that what is open gets closed
			return err
		}
		list = append(list, s)
	}
	l.segments.Store(&list)
	if err := l.mustBeLast(list[len(list)-1]); err != nil {
		return err
	}
	for i, s := range list[:len(list)-1] {
		if err := l.loadSealed(s, list[i+1].base); err != nil {
			return err
		}
	}
	if err := l.loadFilters(); err != nil {
		return err
	}
	return l.recover(list[len(list)-1])
}

// scanDir lists the segment numbers, which must have no hole, and removes files
// that were never finished.
func (l *Log) scanDir() ([]uint32, error) {
	names, err := l.opts.FS.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("list the event log's directory: %w", err)
	}
	var numbers []uint32
	for _, name := range names {
		if no, ok := segmentNumber(name); ok {
			numbers = append(numbers, no)
		}
		if strings.HasSuffix(name, tmpSuffix) {
			if err := l.opts.FS.Remove(filepath.Join(l.dir, name)); err != nil {
				return nil, fmt.Errorf("remove an unfinished file: %w", err)
			}
		}
	}
	slices.Sort(numbers)
	for i, no := range numbers {
		if want := uint32(i + 1); no != want {
			return nil, &CorruptError{File: segmentPath(l.dir, want), Reason: "segment is missing"}
		}
	}
	return numbers, nil
}

func (l *Log) openSegment(no uint32) (*segment, error) {
	s := &segment{no: no, path: segmentPath(l.dir, no), fs: l.opts.FS, onBad: l.indexRepaired}
	f, err := l.opts.FS.Open(s.path, false)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	if s.base, err = readSegmentHeader(f, s.path, no); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	s.now.Store(&content{file: f})
	return s, nil
}

// loadSealed opens the index of a sealed segment, or builds it when it is
// missing, damaged or not of this segment; and finishes a sealing that a crash
// interrupted.
func (l *Log) loadSealed(s *segment, next domain.Position) error {
	size, err := s.file().Size()
	if err != nil {
		return fmt.Errorf("size of %s: %w", s.path, err)
	}
	x, err := openIndex(l.opts.FS, indexPath(s.path))
	if err == nil {
		s.unmaps = append(s.unmaps, x.unmap)
		switch {
		case x.segment != s.no || x.base != s.base:
			err = fmt.Errorf("%w: it is of segment %d from position %d", errIndexDamaged, x.segment, x.base)
		case x.base+domain.Position(x.records) != next:
			err = fmt.Errorf("%w: it ends at position %d", errIndexDamaged, x.base+domain.Position(x.records)-1)
		case x.dataEnd != size:
			err = fmt.Errorf("%w: it is of %d bytes where the segment has %d", errIndexDamaged, x.dataEnd, size)
		default:
			s.setIndex(x)
			return nil
		}
	}
	m, rerr := s.rebuild(size)
	if rerr != nil {
		return rerr
	}
	if got := s.base + domain.Position(m.count()); got != next {
		return &CorruptError{File: s.path, Offset: int64(m.offset(m.count())),
			Reason: fmt.Sprintf("segment ends before position %d, the next one begins at %d", got, next)}
	}
	s.setIndex(m)
	if !errors.Is(err, os.ErrNotExist) {
		l.opts.Logger.Warn("index of a log segment was built again", "segment", s.path, "reason", err)
	}
	if err := l.seal(s, m); err != nil {
		l.opts.Logger.Error("could not write the index of a log segment; it stays in memory",
			"segment", s.path, "error", err)
	}
	return nil
}

// mustBeLast checks that the last segment there is was being written: an index
// file is only made of one that had another behind it.
func (l *Log) mustBeLast(s *segment) error {
	_, unmap, err := l.opts.FS.Map(indexPath(s.path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = unmap()
	}
	if err != nil {
		return fmt.Errorf("look for an index of the last segment: %w", err)
	}
	return &CorruptError{File: segmentPath(l.dir, s.no+1), Reason: fmt.Sprintf("segment is missing: segment %d was sealed, which happens when the next one is there", s.no)}
}

// recover reads the segment that was being written, cuts what a crash tore, and
// sets up the writer behind it.
func (l *Log) recover(s *segment) error {
	size, err := s.file().Size()
	if err != nil {
		return fmt.Errorf("size of %s: %w", s.path, err)
	}
	b := newIndexBuilder(segmentHeaderSize)
	w, err := walk(s.file(), s.path, s.base, size, b.add)
	if err != nil {
		return err
	}
	torn, err := tornTail(s.file(), s.path, size, w)
	if err != nil {
		return err
	}
	head := s.base + domain.Position(b.index.count()) - 1
	if known, err := l.knownHead(); err != nil {
		return err
	} else if head < known {
		return &CorruptError{File: s.path, Offset: w.complete,
			Reason: fmt.Sprintf("the log ends at position %d, but had been closed at %d", head, known)}
	}
	if torn {
		l.opts.Logger.Warn("cut a torn write off the end of the log",
			"segment", s.path, "offset", w.complete, "reason", w.reason, "head", head)
		if err := s.file().Truncate(w.complete); err != nil {
			return fmt.Errorf("cut %s: %w", s.path, err)
		}
	}
	if size < l.opts.SegmentSize || torn {
		if err := s.file().Preallocate(max(size, l.opts.SegmentSize)); err != nil && !outOfSpace(err) {
			return fmt.Errorf("reserve space for %s: %w", s.path, err)
		}
	}
	if err := l.settle(s, w); err != nil {
		return err
	}
	s.setIndex(b.index)
	s.sealed = make(chan struct{})
	l.durable.Store(uint64(head))
	l.adoptHeads(s, b.index)
	for _, s := range l.list() {
		if s.index().system() {
			l.controls.Store(true)
		}
		if s.index().removed() {
			l.removed.Store(true)
		}
	}
	l.writer = newWriter(l, s, b.index, w)
	l.heads.crowded = l.writer.nudge
	return l.recallIDs()
}

// settle makes the last group durable before it is shown: the process that wrote
// it may have been killed before its sync, or have seen the sync fail. After a
// failed sync the system may hold pages for clean that never reached the disk,
// so the group is written again.
func (l *Log) settle(s *segment, w walkEnd) error {
	if l.opts.NoSync {
		return nil
	}
	b := make([]byte, w.complete-w.group)
	_, err := readFull(s.file(), b, w.group)
	if err == nil {
		_, err = s.file().WriteAt(b, w.group)
	}
	if err == nil {
		err = s.file().Sync()
	}
	if err != nil {
		return fmt.Errorf("sync the end of %s: %w", s.path, err)
	}
	return nil
}

// tornTail decides what a walk's end in the last segment means: false for an
// orderly end, true for a torn last group, an error for damage to what had been
// acknowledged.
func tornTail(f File, path string, size int64, w walkEnd) (bool, error) {
	switch w.reason {
	case errRecordEnd:
		off, err := firstNonZero(f, path, w.off, size)
		if err != nil {
			return false, err
		}
		if off < 0 {
			return w.complete < w.off, nil
		}
	case errRecordShort, errRecordShape, errRecordCRC:
	default: // a valid record that cannot be here: no crash does that
		return false, &CorruptError{File: path, Offset: w.off, Reason: w.reason.Error()}
	}
	off, r, err := laterRecord(f, path, w.off+1, size, w.next)
	if err != nil {
		return false, err
	}
	// A group is only written when the one before is on disk. So if a later
	// group exists, the damaged bytes had been synced.
	if off >= 0 && int64(r.group) > w.off {
		return false, &CorruptError{File: path, Offset: w.off,
			Reason: fmt.Sprintf("%v, and a later write follows at %d", w.reason, off)}
	}
	return true, nil
}

// adoptHeads puts the streams of the segment being written into the cache: they
// can be found nowhere else.
func (l *Log) adoptHeads(s *segment, m *memIndex) {
	for i := range m.streams {
		ms := &m.streams[i]
		p := part{first: ms.first, count: ms.count, prev: ms.prev, at: ms.last, last: ms.last}
		l.heads.put(ms.name, ms.hash, headState{last: p.lastRevision(), seg: s, part: p, no: uint32(i)}, 0, true)
	}
}

// recallIDs fills the memory of recent event ids from the indexes.
func (l *Log) recallIDs() error {
	head := l.durable.Load()
	from := uint64(1)
	if w := uint64(l.opts.RepeatWindow); head > w {
		from = head - w + 1
	}
	for _, s := range l.list() {
		x := s.index()
		if uint64(s.base)+uint64(x.count()) <= from {
			continue
		}
		c, err := s.columns()
		if err != nil {
			return err
		}
		first := uint32(max(from, uint64(s.base)) - uint64(s.base))
		for ord := first; ord < c.count(); ord++ {
			l.writer.recent.add(c.idHash(ord))
		}
	}
	return nil
}

// The head file says, after an orderly close, at which position the log ended.
// It guards against the one loss that recovery cannot tell from a torn write:
// damage to the very last group. A log never gets shorter, so an old head file
// is never wrong.
const headFile = "head"

func (l *Log) headPath() string { return filepath.Join(l.dir, headFile) }

func (l *Log) rememberHead() error {
	b := binary.LittleEndian.AppendUint64(nil, l.durable.Load())
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
	if err := writeWhole(l.opts.FS, l.dir, l.headPath(), b, !l.opts.NoSync); err != nil && !outOfSpace(err) {
		return err
	}
	return nil
}

// knownHead returns 0 when there is no head file.
func (l *Log) knownHead() (domain.Position, error) {
	b, unmap, err := l.opts.FS.Map(l.headPath())
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the head file: %w", err)
	}
	p, ok := decodeHead(b)
	if err := unmap(); err != nil {
		return 0, fmt.Errorf("read the head file: %w", err)
	}
	if !ok {
		l.opts.Logger.Warn("the head file is damaged and was ignored", "file", l.headPath())
	}
	return p, nil
}

func decodeHead(b []byte) (domain.Position, bool) {
	if len(b) != 12 || crc32.Checksum(b[:8], crcTable) != binary.LittleEndian.Uint32(b[8:]) {
		return 0, false
	}
	return domain.Position(binary.LittleEndian.Uint64(b)), true
}
