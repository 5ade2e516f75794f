package embedded

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// A record is one event in a segment, little endian:
//
//	 0  crc32c of all that follows
//	 4  length in bytes of what follows this field
//	 8  offset in the segment at which the record's group begins
//	12  flags: first and last of its append; removed
//	13  length of type
//	14  length of stream name
//	16  length of workspace
//	18  magic number
//	20  length of metadata
//	24  position
//	32  revision
//	40  recorded at, microseconds since 1970
//	48  event id
//	64  stream name, type, workspace, metadata, data
const (
	headerSize  = 64
	prefixSize  = 8
	recordMagic = 0x57a7

	flagFirst   = 1 << 0
	flagLast    = 1 << 1
	flagRemoved = 1 << 2 // scavenged: type, workspace, metadata and data are gone
)

// Limits of the record's length fields.
const (
	maxStreamName = 1024
	maxTypeName   = 255
	maxWorkspace  = 255
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// Why bytes are not a record.
var (
	errRecordEnd   = errors.New("end of records")      // zeros: nothing was written here
	errRecordShort = errors.New("record is cut short") // more bytes are needed
	errRecordShape = errors.New("not a record")        // lengths that cannot be
	errRecordCRC   = errors.New("checksum of a record does not match")
)

// record is a decoded record; its byte slices point into the buffer it was
// decoded from.
type record struct {
	group     uint32
	flags     byte
	position  domain.Position
	revision  domain.Revision
	at        int64
	id        uuid.UUID
	stream    []byte
	typ       []byte
	workspace []byte
	meta      []byte
	data      []byte
	size      int // in the segment, header included
}

// recordSize returns the bytes that an event takes in a segment.
func recordSize(stream domain.StreamID, e *streams.Proposed) int {
	return headerSize + len(stream) + len(e.Type) + len(e.Workspace) + len(e.Meta) + len(e.Data)
}

// place is what the log adds to a proposed event.
type place struct {
	group    uint32
	flags    byte
	position domain.Position
	revision domain.Revision
	at       int64
}

// appendRecord encodes an event behind buf.
func appendRecord(buf []byte, stream domain.StreamID, e *streams.Proposed, p place) []byte {
	start := len(buf)
	var h [headerSize]byte
	le := binary.LittleEndian
	le.PutUint32(h[4:], uint32(recordSize(stream, e)-prefixSize))
	le.PutUint32(h[8:], p.group)
	h[12] = p.flags
	h[13] = byte(len(e.Type))
	le.PutUint16(h[14:], uint16(len(stream)))
	le.PutUint16(h[16:], uint16(len(e.Workspace)))
	le.PutUint16(h[18:], recordMagic)
	le.PutUint32(h[20:], uint32(len(e.Meta)))
	le.PutUint64(h[24:], uint64(p.position))
	le.PutUint64(h[32:], uint64(p.revision))
	le.PutUint64(h[40:], uint64(p.at))
	copy(h[48:], e.ID[:])
	buf = append(buf, h[:]...)
	buf = append(buf, stream...)
	buf = append(buf, e.Type...)
	buf = append(buf, e.Workspace...)
	buf = append(buf, e.Meta...)
	buf = append(buf, e.Data...)
	le.PutUint32(buf[start:], crc32.Checksum(buf[start+4:], crcTable))
	return buf
}

// decodeRecord reads the record at the beginning of b.
func decodeRecord(b []byte, r *record) error {
	if len(b) < prefixSize {
		if allZero(b) {
			return errRecordEnd
		}
		return errRecordShort
	}
	le := binary.LittleEndian
	crc, length := le.Uint32(b), le.Uint32(b[4:])
	if crc == 0 && length == 0 {
		return errRecordEnd
	}
	if length < headerSize-prefixSize || length > maxAppendLimit {
		return errRecordShape
	}
	size := int(length) + prefixSize
	if len(b) < size {
		return errRecordShort
	}
	if crc32.Checksum(b[4:size], crcTable) != crc {
		return errRecordCRC
	}
	streamLen, typeLen, wsLen := int(le.Uint16(b[14:])), int(b[13]), int(le.Uint16(b[16:]))
	metaLen := int(le.Uint32(b[20:]))
	if le.Uint16(b[18:]) != recordMagic || headerSize+streamLen+typeLen+wsLen+metaLen > size {
		return errRecordShape
	}
	r.group = le.Uint32(b[8:])
	r.flags = b[12]
	r.position = domain.Position(le.Uint64(b[24:]))
	r.revision = domain.Revision(le.Uint64(b[32:]))
	r.at = int64(le.Uint64(b[40:]))
	copy(r.id[:], b[48:])
	r.size = size
	rest := b[headerSize:size:size]
	r.stream, rest = rest[:streamLen:streamLen], rest[streamLen:]
	r.typ, rest = rest[:typeLen:typeLen], rest[typeLen:]
	r.workspace, rest = rest[:wsLen:wsLen], rest[wsLen:]
	r.meta, r.data = rest[:metaLen:metaLen], rest[metaLen:]
	return nil
}

// sizeOfRecord returns the size that the record beginning with b claims, or 0
// when it cannot be one. It takes at least prefixSize bytes.
func sizeOfRecord(b []byte) int {
	length := binary.LittleEndian.Uint32(b[4:])
	if length < headerSize-prefixSize || length > maxAppendLimit {
		return 0
	}
	return int(length) + prefixSize
}

// recorded copies the event out of the read buffer: a reader may keep one
// event for long, and must not keep a whole buffer alive with it.
func (r *record) recorded(names *interner) streams.Recorded {
	payload := make([]byte, len(r.data)+len(r.meta))
	n := copy(payload, r.data)
	copy(payload[n:], r.meta)
	return streams.Recorded{
		Proposed: streams.Proposed{
			ID:        r.id,
			Type:      names.get(r.typ),
			Workspace: names.get(r.workspace),
			Data:      payload[:n:n],
			Meta:      payload[n:],
		},
		Stream:   domain.StreamID(names.stream(r.stream)),
		Revision: r.revision,
		Position: r.position,
		At:       time.UnixMicro(r.at).UTC(),
	}
}

// interner saves allocations for the few names that repeat in one read.
type interner struct {
	names map[string]string
	last  string // stream
}

// maxInterned bounds the memory of one reader against logs with unbounded names.
const maxInterned = 1024

func (n *interner) get(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := n.names[string(b)]; ok {
		return s
	}
	s := string(b)
	if n.names == nil {
		n.names = make(map[string]string)
	}
	if len(n.names) < maxInterned {
		n.names[s] = s
	}
	return s
}

func (n *interner) stream(b []byte) string {
	if string(b) != n.last {
		n.last = string(b)
	}
	return n.last
}

// streamHash is the hash by which index files find a stream.
func streamHash(s domain.StreamID) uint64 { return xxhash.Sum64String(string(s)) }

// idHash is the short form of an event id in indexes.
func idHash(id uuid.UUID) uint32 { return uint32(xxhash.Sum64(id[:])) }

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.LittleEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
