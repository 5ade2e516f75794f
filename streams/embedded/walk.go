package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"strata/domain"
)

// walkEnd tells where and why walking through the records of a segment ended.
type walkEnd struct {
	off      int64 // first byte that is not a record in sequence
	reason   error // errRecordEnd when there are only zeros or nothing
	complete int64 // end of the last complete append; off unless one was begun
	group    int64 // where the group of that append begins
	next     domain.Position
	at       int64 // time of the last record, microseconds
}

// walk reads the records of a segment from its header up to size, and hands
// them out, append by append: the records of an append that is not complete are
// not handed out. Those handed out may lack metadata and data. Its error is one of reading; what is wrong with the
// records is told by the result.
func walk(f File, path string, base domain.Position, size int64, emit func(off int64, r *record)) (walkEnd, error) {
	return walkFrom(f, path, walkEnd{off: segmentHeaderSize, complete: segmentHeaderSize, group: segmentHeaderSize, next: base}, size, emit)
}

// walkFrom walks on from the beginning of an append.
func walkFrom(f File, path string, w walkEnd, size int64, emit func(off int64, r *record)) (walkEnd, error) {
	src := &source{file: f, path: path, size: size}
	var pending []record
	for {
		b, err := src.record(w.off)
		if err != nil {
			return w, err
		}
		var r record
		w.reason = decodeRecord(b, &r)
		if w.reason == nil {
			w.reason = w.sequence(&r)
		}
		if w.reason != nil {
			return w, nil
		}
		off := w.off
		w.off += int64(r.size)
		w.next++
		if r.flags&flagLast != 0 && len(pending) == 0 {
			emit(off, &r)
		} else {
			// Records of a longer append wait for its end, without their
			// payload; their names must outlive the buffer.
			pending = append(pending, r.head())
			if r.flags&flagLast == 0 {
				continue
			}
			for off, i := w.complete, 0; i < len(pending); i++ {
				emit(off, &pending[i])
				off += int64(pending[i].size)
			}
			pending = pending[:0]
		}
		w.complete, w.group, w.at = w.off, int64(r.group), r.at
	}
}

// sequence checks that a record continues what came before.
func (w *walkEnd) sequence(r *record) error {
	switch {
	case r.position != w.next:
		return fmt.Errorf("record has position %d, not %d", r.position, w.next)
	case int64(r.group) > w.off:
		return fmt.Errorf("record claims a group that begins behind it, at %d", r.group)
	case (r.flags&flagFirst != 0) != (w.complete == w.off):
		return fmt.Errorf("record of position %d breaks an append of several events", r.position)
	}
	return nil
}

// mustBeComplete is for segments that were synced as a whole: anything but
// zeros behind complete appends is damage.
func (w *walkEnd) mustBeComplete(f File, path string, size int64) error {
	if w.reason == errRecordEnd && w.complete == w.off {
		off, err := firstNonZero(f, path, w.off, size)
		if err != nil {
			return err
		}
		if off < 0 {
			return nil
		}
		return &CorruptError{File: path, Offset: off, Reason: "bytes behind the end of the records"}
	}
	reason := w.reason
	if reason == errRecordEnd || reason == errRecordShort {
		reason = fmt.Errorf("records end in the middle of an append")
	}
	return &CorruptError{File: path, Offset: w.off, Reason: reason.Error()}
}

// head copies a record without its payload.
func (r *record) head() record {
	c := *r
	names := bytes.Join([][]byte{r.stream, r.typ, r.workspace}, nil)
	c.stream, names = names[:len(r.stream)], names[len(r.stream):]
	c.typ, c.workspace = names[:len(r.typ)], names[len(r.typ):]
	c.meta, c.data = nil, nil
	return c
}

// source reads a file through a sliding buffer.
type source struct {
	file File
	path string
	size int64
	buf  []byte
	off  int64 // of buf in the file
}

const sourceChunk = 1 << 20

// at returns at least n bytes from an offset, or what the file has.
func (s *source) at(off int64, n int) ([]byte, error) {
	n = int(min(int64(n), max(s.size-off, 0)))
	if off >= s.off && off+int64(n) <= s.off+int64(len(s.buf)) {
		return s.buf[off-s.off:], nil
	}
	want := int(min(int64(max(n, sourceChunk)), s.size-off))
	if want <= 0 {
		return nil, nil
	}
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	got, err := readFull(s.file, s.buf[:want], off)
	if err != nil {
		return nil, fmt.Errorf("read %s at %d: %w", s.path, off, err)
	}
	s.buf, s.off = s.buf[:got], off
	return s.buf, nil
}

// record returns the bytes from an offset, enough for the record that begins
// there when the file has it.
func (s *source) record(off int64) ([]byte, error) {
	b, err := s.at(off, headerSize)
	if err != nil || len(b) < prefixSize {
		return b, err
	}
	if n := sizeOfRecord(b); n > len(b) {
		return s.at(off, n)
	}
	return b, nil
}

// firstNonZero returns the offset of the first byte that is not zero, or -1.
func firstNonZero(f File, path string, from, size int64) (int64, error) {
	src := &source{file: f, path: path, size: size}
	for off := from; off < size; {
		b, err := src.at(off, sourceChunk)
		if err != nil {
			return 0, err
		}
		if len(b) == 0 {
			break
		}
		if !allZero(b) {
			return off + int64(bytes.IndexFunc(b, func(r rune) bool { return r != 0 })), nil
		}
		off += int64(len(b))
	}
	return -1, nil
}

// laterRecord looks behind an offset for a valid record at a position not below
// next, and returns its offset and itself; -1 when there is none.
func laterRecord(f File, path string, from, size int64, next domain.Position) (int64, record, error) {
	src := &source{file: f, path: path, size: size}
	for off := from; off+headerSize <= size; off++ {
		b, err := src.at(off, headerSize)
		if err != nil {
			return 0, record{}, err
		}
		if len(b) < headerSize {
			break
		}
		// Jump to the next place where the magic number could be.
		magic := binary.LittleEndian.AppendUint16(nil, recordMagic)
		i := bytes.Index(b[18:], magic)
		if i < 0 {
			off += int64(max(len(b)-headerSize, 0))
			continue
		}
		off += int64(i)
		if b, err = src.record(off); err != nil {
			return 0, record{}, err
		}
		var r record
		if decodeRecord(b, &r) == nil && r.position >= next && int64(r.group) <= off {
			return off, r.head(), nil
		}
	}
	return -1, record{}, nil
}

// indexBuilder makes an index from the records of a walk.
type indexBuilder struct {
	index *memIndex
}

func newIndexBuilder(start uint32) *indexBuilder { return &indexBuilder{index: newMemIndex(start)} }

func (b *indexBuilder) add(_ int64, r *record) {
	name := domain.StreamID(r.stream)
	no, ok := b.index.byName[name]
	if !ok {
		prev := unknownSegment
		if r.revision == 0 {
			prev = noSegment
		}
		no = b.index.open(name, streamHash(name), r.revision, prev)
	}
	b.index.add(no, idHash(r.id), string(r.typ), r.size)
}
