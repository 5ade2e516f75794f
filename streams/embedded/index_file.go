package embedded

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"sync/atomic"

	"strata/domain"
)

// An index file, little endian, mapped into memory:
//
//	header, 64 bytes:
//	   0 magic "STRAIDX1"
//	   8 segment number, 12 records, 16 position of the first record
//	  24 length of the segment in bytes
//	  32 streams, 36 flags (1: has system records, 2: has removed ones)
//	  40 length of the Bloom filter, 44 length of the names
//	  48 crc of filter, 52 crc of stream table, 56 crc of columns and names
//	  60 crc of the header
//	Bloom filter over the hashes of the streams
//	stream table, sorted by hash, 32 bytes each:
//	   0 hash, 8 first revision, 16 first posting, 20 records, 24 segment before, 28 last ordinal
//	columns, one value per record, in ordinal order:
//	   offsets uint32 (one more, the end), id hashes uint32, categories uint16, types uint16
//	postings uint32: the ordinals of every stream, stream by stream
//	names of categories and types: count uint16, then length uint16 and bytes each
//
// The checksums of filter, table and columns are verified when each is first
// used, so that opening a large log does not read all its indexes.
const (
	indexMagic      = "STRAIDX1"
	indexHeaderSize = 64
	indexStreamSize = 32
	indexHasSystem  = 1
	indexHasRemoved = 2
)

var errIndexDamaged = errors.New("index file is damaged")

// indexHeader is what an index file says of its segment.
type indexHeader struct {
	segment  uint32
	records  uint32
	base     domain.Position
	dataEnd  int64
	streams  uint32
	flags    uint32
	bloomLen uint32
	namesLen uint32
}

// encodeIndex writes the index of a sealed segment.
func encodeIndex(m *memIndex, no uint32, base domain.Position) []byte {
	le := binary.LittleEndian
	n := m.count()
	table := make([]uint32, len(m.streams)) // stream numbers by hash
	filter := newBloom(len(m.streams), 10)
	for i := range m.streams {
		table[i] = uint32(i)
		filter.add(m.streams[i].hash)
	}
	slices.SortFunc(table, func(a, b uint32) int { return cmp.Compare(m.streams[a].hash, m.streams[b].hash) })
	names := appendNames(appendNames(nil, m.cats.names), m.types.names)

	size := indexHeaderSize + len(filter) + len(table)*indexStreamSize + int(n+1)*4 + int(n)*12 + len(names)
	b := make([]byte, indexHeaderSize, size)
	b = append(b, filter...)
	tableStart := len(b)
	starts := make([]uint32, len(m.streams)) // next posting per stream
	posting := uint32(0)
	for _, i := range table {
		s := &m.streams[i]
		b = le.AppendUint64(b, s.hash)
		b = le.AppendUint64(b, uint64(s.first))
		b = le.AppendUint32(b, posting)
		b = le.AppendUint32(b, s.count)
		b = le.AppendUint32(b, s.prev)
		b = le.AppendUint32(b, s.last)
		starts[i] = posting
		posting += s.count
	}
	columnStart := len(b)
	b = appendColumns(b, m, starts)
	b = append(b, names...)

	h := b[:indexHeaderSize]
	copy(h, indexMagic)
	le.PutUint32(h[8:], no)
	le.PutUint32(h[12:], n)
	le.PutUint64(h[16:], uint64(base))
	le.PutUint64(h[24:], uint64(m.offset(n)))
	le.PutUint32(h[32:], uint32(len(m.streams)))
	var flags uint32
	if m.system() {
		flags |= indexHasSystem
	}
	if m.removed() {
		flags |= indexHasRemoved
	}
	le.PutUint32(h[36:], flags)
	le.PutUint32(h[40:], uint32(len(filter)))
	le.PutUint32(h[44:], uint32(len(names)))
	le.PutUint32(h[48:], crc32.Checksum(b[indexHeaderSize:tableStart], crcTable))
	le.PutUint32(h[52:], crc32.Checksum(b[tableStart:columnStart], crcTable))
	le.PutUint32(h[56:], crc32.Checksum(b[columnStart:], crcTable))
	le.PutUint32(h[60:], crc32.Checksum(h[:60], crcTable))
	return b
}

// appendColumns writes the records' columns and, from starts on, the postings
// of every stream. It moves starts to the streams' ends.
func appendColumns(b []byte, m *memIndex, starts []uint32) []byte {
	le, n := binary.LittleEndian, m.count()
	for ord := range n + 1 {
		b = le.AppendUint32(b, m.offset(ord))
	}
	for ord := range n {
		b = le.AppendUint32(b, m.at(ord).id)
	}
	for ord := range n {
		b = le.AppendUint16(b, m.at(ord).cat)
	}
	for ord := range n {
		b = le.AppendUint16(b, m.at(ord).typ)
	}
	postings := b[len(b) : len(b)+int(n)*4]
	for ord := range n {
		s := m.at(ord).stream
		le.PutUint32(postings[starts[s]*4:], ord)
		starts[s]++
	}
	return b[:len(b)+len(postings)]
}

func appendNames(b []byte, names []string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(names)))
	for _, n := range names {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(n)))
		b = append(b, n...)
	}
	return b
}

// fileIndex is the index of a sealed segment, read in place.
type fileIndex struct {
	indexHeader
	data  []byte
	unmap func() error

	filter                              bloom
	table, offs, ids, cats, typs, posts []byte
	columns                             []byte // offs to names, for the checksum

	checked [3]atomic.Bool // see region
}

// region is a part of an index file with its own checksum.
type region int

const (
	regionFilter region = iota
	regionTable
	regionColumns
)

// openIndex maps an index file. It checks the header and the sizes; the rest
// is checked when used.
func openIndex(fsys FS, name string) (*fileIndex, error) {
	data, unmap, err := fsys.Map(name)
	if err != nil {
		return nil, err
	}
	x, err := parseIndex(data)
	if err != nil {
		return nil, errors.Join(err, unmap())
	}
	x.unmap = unmap
	return x, nil
}

func parseIndex(data []byte) (*fileIndex, error) {
	le := binary.LittleEndian
	if len(data) < indexHeaderSize || string(data[:8]) != indexMagic {
		return nil, fmt.Errorf("%w: not an index file", errIndexDamaged)
	}
	h := data[:indexHeaderSize]
	if crc32.Checksum(h[:60], crcTable) != le.Uint32(h[60:]) {
		return nil, fmt.Errorf("%w: checksum of the header does not match", errIndexDamaged)
	}
	x := &fileIndex{data: data, indexHeader: indexHeader{
		segment: le.Uint32(h[8:]), records: le.Uint32(h[12:]), base: domain.Position(le.Uint64(h[16:])),
		dataEnd: int64(le.Uint64(h[24:])), streams: le.Uint32(h[32:]), flags: le.Uint32(h[36:]),
		bloomLen: le.Uint32(h[40:]), namesLen: le.Uint32(h[44:]),
	}}
	rest, n := data[indexHeaderSize:], uint64(x.records)
	want := uint64(x.bloomLen) + uint64(x.streams)*indexStreamSize + (n+1)*4 + n*12 + uint64(x.namesLen)
	if uint64(len(rest)) != want || x.bloomLen == 0 || x.bloomLen%bloomBlock != 0 {
		return nil, fmt.Errorf("%w: length is %d, not %d", errIndexDamaged, len(rest), want)
	}
	cut := func(size uint64) []byte {
		b := rest[:size:size]
		rest = rest[size:]
		return b
	}
	x.filter = bloom(cut(uint64(x.bloomLen)))
	x.table = cut(uint64(x.streams) * indexStreamSize)
	x.columns = rest
	x.offs, x.ids = cut((n+1)*4), cut(n*4)
	x.cats, x.typs = cut(n*2), cut(n*2)
	x.posts = cut(n * 4)
	return x, nil
}

// check verifies a region when it is first used.
func (x *fileIndex) check(r region) error {
	if x.checked[r].Load() {
		return nil
	}
	content := [...][]byte{x.filter, x.table, x.columns}[r]
	if crc32.Checksum(content, crcTable) != binary.LittleEndian.Uint32(x.data[48+4*int(r):]) {
		name := [...]string{"filter", "stream table", "columns"}[r]
		return fmt.Errorf("%w: checksum of the %s does not match", errIndexDamaged, name)
	}
	x.checked[r].Store(true)
	return nil
}

func (x *fileIndex) count() uint32            { return x.records }
func (x *fileIndex) offset(ord uint32) uint32 { return binary.LittleEndian.Uint32(x.offs[ord*4:]) }
func (x *fileIndex) idHash(ord uint32) uint32 { return binary.LittleEndian.Uint32(x.ids[ord*4:]) }
func (x *fileIndex) system() bool             { return x.flags&indexHasSystem != 0 }
func (x *fileIndex) removed() bool            { return x.flags&indexHasRemoved != 0 }
func (x *fileIndex) labels(ord uint32) (uint16, uint16) {
	return binary.LittleEndian.Uint16(x.cats[ord*2:]), binary.LittleEndian.Uint16(x.typs[ord*2:])
}

func (x *fileIndex) category(n uint16) string  { return x.nameAt(0, n) }
func (x *fileIndex) eventType(n uint16) string { return x.nameAt(1, n) }

// nameAt walks the names: readers ask once per name and read.
func (x *fileIndex) nameAt(list int, n uint16) string {
	names := x.columns[len(x.columns)-int(x.namesLen):]
	next := func() int {
		v := binary.LittleEndian.Uint16(names)
		names = names[2:]
		return int(v)
	}
	for i := 0; ; i++ {
		count := next()
		for k := range count {
			size := next()
			if i == list && k == int(n) {
				return string(names[:size])
			}
			names = names[size:]
		}
		if i == list {
			return ""
		}
	}
}

func (x *fileIndex) find(_ domain.StreamID, hash uint64, is func(uint32) (bool, error)) (part, bool, error) {
	if err := x.check(regionFilter); err != nil {
		return part{}, false, err
	}
	if !x.filter.mayHave(hash) {
		return part{}, false, nil
	}
	if err := x.check(regionTable); err != nil {
		return part{}, false, err
	}
	le := binary.LittleEndian
	lo, hi := 0, int(x.streams)
	for lo < hi {
		mid := (lo + hi) / 2
		if le.Uint64(x.table[mid*indexStreamSize:]) < hash {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	for ; lo < int(x.streams); lo++ {
		e := x.table[lo*indexStreamSize : (lo+1)*indexStreamSize]
		if le.Uint64(e) != hash {
			break
		}
		p := part{
			first: domain.Revision(le.Uint64(e[8:])), at: le.Uint32(e[16:]),
			count: le.Uint32(e[20:]), prev: le.Uint32(e[24:]), last: le.Uint32(e[28:]), file: true,
		}
		if same, err := is(p.last); same || err != nil {
			return p, same, err
		}
	}
	return part{}, false, nil
}

func (x *fileIndex) ordinals(dst []uint32, p part, from, to domain.Revision) []uint32 {
	from, to = max(from, p.first), min(to, p.lastRevision())
	for rev := from; rev <= to; rev++ {
		i := (p.at + uint32(rev-p.first)) * 4
		dst = append(dst, binary.LittleEndian.Uint32(x.posts[i:]))
	}
	return dst
}
