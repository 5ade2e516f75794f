package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
)

// A stream that is not cached, above all a new one, would have to be looked for
// in every sealed segment. So each run of filterSpan sealed segments also has a
// Bloom filter over the streams of all of them, in a file of its own
// ("000000016.flt", after the last of them):
//
//	0 magic "STRAFLT1", 8 number of the last segment, 16 crc32c of the filter,
//	60 crc32c of the 60 bytes before, 64 the filter
//
// Like an index it is a cache: missing or damaged, it is made again.
const (
	filterSpan       = 16
	filterMagic      = "STRAFLT1"
	filterHeaderSize = 64
)

// spanFilter is the filter of the run of segments that ends with segment last.
type spanFilter struct {
	last   uint32
	filter bloom
}

func filterPath(dir string, last uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%09d.flt", last))
}

func encodeFilter(last uint32, filter bloom) []byte {
	le := binary.LittleEndian
	b := make([]byte, filterHeaderSize, filterHeaderSize+len(filter))
	copy(b, filterMagic)
	le.PutUint32(b[8:], last)
	le.PutUint32(b[16:], crc32.Checksum(filter, crcTable))
	le.PutUint32(b[60:], crc32.Checksum(b[:60], crcTable))
	return append(b, filter...)
}

func parseFilter(b []byte, last uint32) (*spanFilter, error) {
	le := binary.LittleEndian
	if len(b) < filterHeaderSize+bloomBlock || len(b)%bloomBlock != 0 || string(b[:8]) != filterMagic ||
		crc32.Checksum(b[:60], crcTable) != le.Uint32(b[60:]) || le.Uint32(b[8:]) != last {
		return nil, fmt.Errorf("%w: not the filter of segments up to %d", errIndexDamaged, last)
	}
	f := &spanFilter{last: last, filter: bloom(b[filterHeaderSize:])}
	if crc32.Checksum(f.filter, crcTable) != le.Uint32(b[16:]) {
		return nil, fmt.Errorf("%w: checksum of the filter does not match", errIndexDamaged)
	}
	return f, nil
}

// excludes tells that none of the segments has a stream; no filter excludes nothing.
func (f *spanFilter) excludes(hash uint64) bool {
	return f != nil && !f.filter.mayHave(hash)
}

// spanOf returns the filter of the run that ends with the i-th segment, or nil.
func (l *Log) spanOf(i int) *spanFilter {
	if (i+1)%filterSpan != 0 {
		return nil
	}
	filters := *l.filters.Load()
	if n := i / filterSpan; n < len(filters) {
		return filters[n]
	}
	return nil
}

// loadFilters opens the filters of all complete runs, making those that are
// missing or damaged.
func (l *Log) loadFilters() error {
	for n := range (len(l.list()) - 1) / filterSpan {
		last := uint32((n + 1) * filterSpan)
		f, err := l.openFilter(last)
		switch {
		case err == nil:
			l.setFilter(f)
		case errors.Is(err, errIndexDamaged):
			l.opts.Logger.Warn("filter of log segments was built again", "file", filterPath(l.dir, last), "reason", err)
		case !errors.Is(err, os.ErrNotExist):
			return fmt.Errorf("open filter: %w", err)
		}
	}
	l.makeFilters()
	return nil
}

// openFilter maps a filter, until Close; filterMu is held, or nobody else is there.
func (l *Log) openFilter(last uint32) (*spanFilter, error) {
	data, unmap, err := l.opts.FS.Map(filterPath(l.dir, last))
	if err != nil {
		return nil, err
	}
	f, err := parseFilter(data, last)
	if err != nil {
		return nil, errors.Join(err, unmap())
	}
	l.unmaps = append(l.unmaps, unmap)
	return f, nil
}

// setFilter puts a filter in its place; filterMu is held, or nobody else is there.
func (l *Log) setFilter(f *spanFilter) {
	n := int(f.last/filterSpan) - 1
	filters := slices.Clone(*l.filters.Load())
	for len(filters) <= n {
		filters = append(filters, nil)
	}
	filters[n] = f
	l.filters.Store(&filters)
}

// makeFilters makes the filters of complete runs that have none. The segments of
// a run must all be sealed and indexed; it is asked again after each sealing.
func (l *Log) makeFilters() {
	l.filterMu.Lock()
	defer l.filterMu.Unlock()
	list := l.list()
	for last := filterSpan - 1; last < len(list)-1; last += filterSpan {
		if l.spanOf(last) != nil {
			continue
		}
		f, err := l.makeFilter(list[last+1-filterSpan : last+1])
		if err != nil {
			l.opts.Logger.Error("could not write a filter of log segments; look-ups take longer",
				"file", filterPath(l.dir, uint32(last+1)), "error", err)
			return
		}
		if f != nil {
			l.setFilter(f)
		}
	}
}

// makeFilter makes the filter of a run, or nil when one of its indexes is not
// in a file yet.
func (l *Log) makeFilter(run []*segment) (*spanFilter, error) {
	n := 0
	files := make([]*fileIndex, len(run))
	for i, s := range run {
		x, ok := s.index().(*fileIndex)
		if !ok || x.check(regionTable) != nil {
			return nil, nil // what is damaged is mended when it is used
		}
		files[i] = x
		n += int(x.streams)
	}
	filter := newBloom(n, 10)
	for _, x := range files {
		for i := 0; i < len(x.table); i += indexStreamSize {
			filter.add(binary.LittleEndian.Uint64(x.table[i:]))
		}
	}
	last := run[len(run)-1].no
	if err := writeWhole(l.opts.FS, l.dir, filterPath(l.dir, last), encodeFilter(last, filter), !l.opts.NoSync); err != nil {
		return nil, err
	}
	return l.openFilter(last)
}
