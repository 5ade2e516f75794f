package embedded

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"strata/domain"
)

// Report is what [Verify] found.
type Report struct {
	Segments int
	Streams  int             // system streams included
	Events   uint64          // readable records
	Removed  uint64          // records of events that were scavenged, not counted as events
	Bytes    int64           // of records
	Head     domain.Position // of the last readable record
	Faults   []Fault
}

// Fault is one thing that is not as it was written.
type Fault struct {
	File       string
	Offset     int64
	Problem    string
	Repairable bool // nothing acknowledged is lost, and the next opening mends it
}

// String writes the fault as one line.
func (f Fault) String() string {
	note := ""
	if f.Repairable {
		note = " (mended by the next opening)"
	}
	return fmt.Sprintf("%s:%d: %s%s", f.File, f.Offset, f.Problem, note)
}

// Damaged tells whether something acknowledged is lost.
func (r *Report) Damaged() bool {
	return slices.ContainsFunc(r.Faults, func(f Fault) bool { return !f.Repairable })
}

// Verify reads a whole log without changing it, and reports every fault:
// checksums, gaps in positions and in the revisions of streams, torn appends,
// and index files that disagree with the records. It keeps about 40 bytes per
// stream in memory.
//
// The log must not be open: Verify returns an error matching [ErrLocked] when
// it is, and an error when the directory cannot be read or holds no log.
func Verify(dir string) (Report, error) { return verifyOn(OS(), dir) }

func verifyOn(fsys FS, dir string) (rep Report, err error) {
	names, err := fsys.ReadDir(dir)
	if err != nil {
		return rep, fmt.Errorf("list the event log's directory: %w", err)
	}
	v := verifier{fs: fsys, dir: dir, seen: map[uint64]streamSeen{}, next: 1}
	var numbers []uint32
	for _, name := range names {
		if no, ok := segmentNumber(name); ok {
			numbers = append(numbers, no)
		}
	}
	if len(numbers) == 0 {
		return rep, fmt.Errorf("there is no event log in %s", dir)
	}
	lock, err := lockDir(fsys, dir)
	if err != nil {
		return rep, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	slices.Sort(numbers)
	want := uint32(1)
	for i, no := range numbers {
		for ; want < no; want++ {
			v.fault(segmentPath(dir, want), 0, "segment is missing")
		}
		want++
		last := i == len(numbers)-1
		err := v.segment(no, last)
		if err == nil && no%filterSpan == 0 && !last {
			err = v.filter(no)
		}
		if err != nil {
			return v.report, err
		}
	}
	v.lastSegment(names, numbers[len(numbers)-1])
	v.report.Segments, v.report.Streams = len(numbers), len(v.seen)
	return v.report, v.headFile()
}

// lastSegment reports a missing end of the log: only a segment that has another
// behind it is given an index.
func (v *verifier) lastSegment(names []string, no uint32) {
	if slices.Contains(names, filepath.Base(indexPath(segmentPath(v.dir, no)))) {
		v.fault(segmentPath(v.dir, no+1), 0, "segment is missing")
	}
}

type verifier struct {
	fs     FS
	dir    string
	report Report
	next   domain.Position
	seen   map[uint64]streamSeen // by hash of the name
}

type streamSeen struct {
	last domain.Revision
	seg  uint32 // that holds it
	prev uint32 // the segment before, of the stream
}

// filter verifies that the filter of a run of segments has all their streams.
func (v *verifier) filter(last uint32) error {
	path := filterPath(v.dir, last)
	data, unmap, err := v.fs.Map(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		v.repairable(path, 0, "filter file is missing")
		return nil
	case err != nil:
		return fmt.Errorf("open filter: %w", err)
	}
	f, err := parseFilter(data, last)
	switch {
	case err != nil:
		v.repairable(path, 0, "%v", err)
	default:
		for hash, s := range v.seen {
			if s.seg > last-filterSpan && f.excludes(hash) {
				v.fault(path, 0, "filter does not agree with the records")
				break
			}
		}
	}
	return unmap()
}

func (v *verifier) fault(file string, off int64, format string, args ...any) {
	v.report.Faults = append(v.report.Faults, Fault{File: file, Offset: off, Problem: fmt.Sprintf(format, args...)})
}

func (v *verifier) repairable(file string, off int64, format string, args ...any) {
	v.fault(file, off, format, args...)
	v.report.Faults[len(v.report.Faults)-1].Repairable = true
}

// segment verifies one segment and its index; its error is one of reading.
func (v *verifier) segment(no uint32, last bool) error {
	path := segmentPath(v.dir, no)
	f, err := v.fs.OpenRead(path)
	if err != nil {
		return fmt.Errorf("open segment: %w", err)
	}
	defer f.Close() // only read
	base, err := readSegmentHeader(f, path, no)
	if damage, ok := errors.AsType[*CorruptError](err); ok {
		v.fault(path, damage.Offset, "%s", damage.Reason)
		base = v.next
	} else if err != nil {
		return err
	}
	if base != v.next {
		v.fault(path, 16, "segment begins at position %d, the one before ended at %d", base, v.next-1)
		v.next = base
	}
	size, err := f.Size()
	if err != nil {
		return fmt.Errorf("size of %s: %w", path, err)
	}
	faults := len(v.report.Faults)
	b := newIndexBuilder(segmentHeaderSize)
	end, err := v.records(f, path, no, size, last, b)
	if err != nil {
		return err
	}
	if last || len(v.report.Faults) > faults {
		return nil // there is no index, or nothing to compare it with
	}
	if end < size {
		v.repairable(path, end, "segment was not cut to its length")
		return nil
	}
	return v.index(indexPath(path), no, base, b.index)
}

// records verifies the records of a segment, going on behind every fault.
func (v *verifier) records(f File, path string, no uint32, size int64, last bool, b *indexBuilder) (end int64, err error) {
	w := walkEnd{off: segmentHeaderSize, complete: segmentHeaderSize, next: v.next}
	emit := func(off int64, r *record) {
		v.record(path, no, off, r)
		b.add(off, r)
	}
	for {
		if w, err = walkFrom(f, path, w, size, emit); err != nil {
			return 0, err
		}
		v.next = w.next
		torn, err := v.judge(f, path, size, last, w)
		damage, damaged := errors.AsType[*CorruptError](err)
		switch {
		case err != nil && !damaged:
			return 0, err
		case torn:
			v.repairable(path, w.complete, "torn write at the end of the log (%v)", w.reason)
			v.next = v.report.Head + 1
			return w.complete, nil
		case !damaged:
			return w.complete, nil
		}
		v.fault(path, damage.Offset, "%s", damage.Reason)
		off, r, err := v.resync(f, path, w.off+1, size)
		if err != nil || off < 0 {
			return w.complete, err
		}
		if r.position != v.report.Head+1 {
			v.fault(path, off, "record has position %d behind %d", r.position, v.report.Head)
		}
		w = walkEnd{off: off, complete: off, next: r.position}
	}
}

// judge decides what the end of a walk means: nothing, a torn tail, or damage.
func (v *verifier) judge(f File, path string, size int64, last bool, w walkEnd) (torn bool, err error) {
	if last {
		return tornTail(f, path, size, w)
	}
	return false, w.mustBeComplete(f, path, size)
}

// resync finds the next record that begins an append.
func (v *verifier) resync(f File, path string, from, size int64) (int64, record, error) {
	for {
		off, r, err := laterRecord(f, path, from, size, 0)
		if err != nil || off < 0 || r.flags&flagFirst != 0 {
			return off, r, err
		}
		from = off + int64(r.size)
	}
}

func (v *verifier) record(path string, no uint32, off int64, r *record) {
	if r.flags&flagRemoved != 0 {
		v.report.Removed++
	} else {
		v.report.Events++
	}
	v.report.Bytes += int64(r.size)
	v.report.Head = r.position
	hash := streamHash(domain.StreamID(r.stream))
	s, ok := v.seen[hash]
	if !ok {
		s = streamSeen{last: domain.NoRevision}
	}
	if r.revision != s.last+1 {
		v.fault(path, off, "stream %s goes from revision %d to %d", r.stream, s.last, r.revision)
	}
	s.last = r.revision
	if s.seg != no {
		s.prev, s.seg = s.seg, no
	}
	v.seen[hash] = s
}

// index compares an index file with an index made from the records.
func (v *verifier) index(path string, no uint32, base domain.Position, m *memIndex) error {
	x, err := openIndex(v.fs, path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		v.repairable(path, 0, "index file is missing")
		return nil
	case errors.Is(err, errIndexDamaged):
		v.repairable(path, 0, "%v", err)
		return nil
	case err != nil:
		return fmt.Errorf("open index: %w", err)
	}
	defer x.unmap() // only read
	if end := int64(m.offset(m.count())); x.segment != no || x.base != base || x.dataEnd != end {
		v.repairable(path, 0, "index is not of this segment as it is")
		return nil
	}
	for r := regionFilter; r <= regionColumns; r++ {
		if err := x.check(r); err != nil {
			v.repairable(path, 0, "%v", err)
			return nil
		}
	}
	want, err := parseIndex(encodeIndex(m, no, base))
	if err != nil {
		return err
	}
	if x.indexHeader != want.indexHeader || !bytes.Equal(x.filter, want.filter) || !bytes.Equal(x.columns, want.columns) {
		v.fault(path, 0, "index does not agree with the records")
		return nil
	}
	for i := 0; i < len(x.table); i += indexStreamSize {
		got, want := x.table[i:i+indexStreamSize], want.table[i:i+indexStreamSize]
		prev := binary.LittleEndian.Uint32(got[24:])
		seen := v.seen[binary.LittleEndian.Uint64(got)]
		if !bytes.Equal(got[:24], want[:24]) || !bytes.Equal(got[28:], want[28:]) || prev != seen.prev && prev != unknownSegment {
			v.fault(path, int64(indexHeaderSize+len(x.filter)+i), "entry of a stream does not agree with the records")
		}
	}
	return nil
}

// headFile compares the end of the log with what the last close noted.
func (v *verifier) headFile() error {
	path := filepath.Join(v.dir, headFile)
	b, unmap, err := v.fs.Map(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the head file: %w", err)
	}
	known, ok := decodeHead(b)
	switch {
	case !ok:
		v.repairable(path, 0, "head file is damaged")
	case known > v.report.Head:
		v.fault(path, 0, "the log ends at position %d, but had been closed at %d", v.report.Head, known)
	}
	return unmap()
}
