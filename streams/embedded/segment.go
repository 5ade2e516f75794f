package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"strata/domain"
)

// A segment file begins with a header of 64 bytes, little endian: magic
// "STRALOG1", 8 segment number, 16 position of its first record, 60 crc32c of
// the 60 bytes before. The rest are records, then zeros.
const (
	segmentMagic      = "STRALOG1"
	segmentHeaderSize = 64
)

// segment is one file of the log, with its index.
type segment struct {
	no   uint32
	base domain.Position
	path string
	fs   FS

	now    atomic.Pointer[content]
	sealed chan struct{} // closed when sealing has ended, well or not; nil when it was sealed at opening

	mu     sync.Mutex                       // one change of content at a time
	unmaps []func() error                   // of index files, for when nobody reads them any more
	onBad  func(*segment, *memIndex, error) // hears of an index file that had to be built again
}

// content is a segment's file with the index of that very file: scavenging
// replaces both. Records keep their ordinals for ever, offsets they do not. Who
// holds the log's gate may use a content to the end of that step, not longer.
type content struct {
	index
	file File
}

// file returns the segment's file as of now.
func (s *segment) file() File { return s.now.Load().file }

func segmentPath(dir string, no uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%09d.log", no))
}

func indexPath(segment string) string { return strings.TrimSuffix(segment, ".log") + ".idx" }

// segmentNumber reads a file name; ok is false when it is not a segment's.
func segmentNumber(name string) (no uint32, ok bool) {
	digits, found := strings.CutSuffix(name, ".log")
	if !found || len(digits) != 9 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 32)
	return uint32(n), err == nil && n > 0
}

func encodeSegmentHeader(no uint32, base domain.Position) []byte {
	h := make([]byte, segmentHeaderSize)
	copy(h, segmentMagic)
	binary.LittleEndian.PutUint32(h[8:], no)
	binary.LittleEndian.PutUint64(h[16:], uint64(base))
	binary.LittleEndian.PutUint32(h[60:], crc32.Checksum(h[:60], crcTable))
	return h
}

// readSegmentHeader reads and checks the header of a segment file.
func readSegmentHeader(f File, path string, no uint32) (base domain.Position, err error) {
	h := make([]byte, segmentHeaderSize)
	n, err := readFull(f, h, 0)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	le := binary.LittleEndian
	switch {
	case n < segmentHeaderSize, string(h[:8]) != segmentMagic:
		return 0, &CorruptError{File: path, Offset: 0, Reason: "not a segment of an event log"}
	case crc32.Checksum(h[:60], crcTable) != le.Uint32(h[60:]):
		return 0, &CorruptError{File: path, Offset: 0, Reason: "checksum of the segment header does not match"}
	case le.Uint32(h[8:]) != no:
		return 0, &CorruptError{File: path, Offset: 8, Reason: fmt.Sprintf("is segment %d, not %d", le.Uint32(h[8:]), no)}
	}
	return domain.Position(le.Uint64(h[16:])), nil
}

// readFull reads as much of b as the file has from an offset.
func readFull(f File, b []byte, off int64) (int, error) {
	n, err := f.ReadAt(b, off)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// createSegment makes a segment file with reserved space. It gets its name only
// when it is complete, so a crash leaves no half a segment.
func createSegment(fsys FS, dir string, no uint32, base domain.Position, size int64, sync bool) (File, error) {
	path := segmentPath(dir, no)
	f, err := fsys.Open(path+tmpSuffix, true)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	err = f.Preallocate(size)
	if err == nil {
		_, err = f.WriteAt(encodeSegmentHeader(no, base), 0)
	}
	if err == nil && sync {
		err = f.Sync()
	}
	if err == nil {
		err = fsys.Rename(path+tmpSuffix, path)
	}
	if err == nil && sync {
		err = fsys.SyncDir(dir)
	}
	if err != nil {
		// What is left has no meaning: make room again and report the first fault.
		_ = f.Close()
		_ = fsys.Remove(path + tmpSuffix)
		_ = fsys.Remove(path)
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return f, nil
}

// index returns the segment's index.
func (s *segment) index() index { return s.now.Load().index }

// setIndex changes the index of the file that is there.
func (s *segment) setIndex(x index) { s.now.Store(&content{x, s.file()}) }

// columns returns the content with the columns of its index verified, built
// again when they are damaged.
func (s *segment) columns() (*content, error) {
	c := s.now.Load()
	f, ok := c.index.(*fileIndex)
	if !ok {
		return c, nil
	}
	if err := f.check(regionColumns); err != nil {
		return s.repair(f, err)
	}
	return c, nil
}

// find looks a stream up in a sealed segment.
func (s *segment) find(stream domain.StreamID, hash uint64) (part, bool, error) {
	is := func(ord uint32) (bool, error) {
		c, err := s.columns()
		if err != nil {
			return false, err
		}
		var same bool
		err = s.fetch(c, []uint32{ord}, new(readBuffer), func(r *record) { same = string(r.stream) == string(stream) })
		return same, err
	}
	x := s.index()
	p, ok, err := x.find(stream, hash, is)
	if errors.Is(err, errIndexDamaged) {
		c, err := s.repair(x.(*fileIndex), err)
		if err != nil {
			return part{}, false, err
		}
		return c.find(stream, hash, is)
	}
	return p, ok, err
}

// repair replaces a damaged index by one built from the records.
func (s *segment) repair(bad *fileIndex, cause error) (*content, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.now.Load(); c.index != index(bad) {
		return c, nil // somebody else was faster
	}
	m, err := s.rebuild(bad.dataEnd)
	if err != nil {
		return nil, fmt.Errorf("build the index of %s: %w", s.path, err)
	}
	s.setIndex(m)
	s.onBad(s, m, cause)
	return s.now.Load(), nil
}

// rebuild reads a sealed segment of a length and makes its index.
func (s *segment) rebuild(end int64) (*memIndex, error) {
	b := newIndexBuilder(segmentHeaderSize)
	w, err := walk(s.file(), s.path, s.base, end, b.add)
	if err != nil {
		return nil, err
	}
	if err := w.mustBeComplete(s.file(), s.path, end); err != nil {
		return nil, err
	}
	return b.index, nil
}

// readBuffer is the reusable buffer of one reader.
type readBuffer struct{ b []byte }

func (r *readBuffer) get(n int) []byte {
	if cap(r.b) < n {
		r.b = make([]byte, n)
	}
	return r.b[:n]
}

const (
	maxRun = 256 << 10 // bytes read at once
	maxGap = 8 << 10   // bytes read and thrown away rather than reading twice
)

// fetch reads the records with the given ordinals, ascending, joining
// neighbours into one read, and hands them out in order. A record is valid
// until fetch returns or reads on.
func (s *segment) fetch(x *content, ords []uint32, buf *readBuffer, emit func(*record)) error {
	var r record
	for len(ords) > 0 {
		start, end := x.offset(ords[0]), x.offset(ords[0]+1)
		n := 1
		for ; n < len(ords); n++ {
			from, to := x.offset(ords[n]), x.offset(ords[n]+1)
			if from-end > maxGap || to-start > maxRun {
				break
			}
			end = to
		}
		if end <= start {
			return &CorruptError{File: s.path, Offset: int64(start), Reason: "index and records disagree"}
		}
		b := buf.get(int(end - start))
		got, err := readFull(x.file, b, int64(start))
		if err != nil {
			return fmt.Errorf("read %s: %w", s.path, err)
		}
		for _, ord := range ords[:n] {
			off := x.offset(ord)
			if off < start || int(off-start) > got {
				return &CorruptError{File: s.path, Offset: int64(off), Reason: "index and records disagree"}
			}
			if err := decodeRecord(b[off-start:got], &r); err != nil {
				return &CorruptError{File: s.path, Offset: int64(off), Reason: err.Error()}
			}
			if want := s.base + domain.Position(ord); r.position != want {
				return &CorruptError{File: s.path, Offset: int64(off),
					Reason: fmt.Sprintf("record has position %d, not %d", r.position, want)}
			}
			emit(&r)
		}
		ords = ords[n:]
	}
	return nil
}
