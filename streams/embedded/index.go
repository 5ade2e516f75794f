package embedded

import "strata/domain"

// An index says where the records of one segment are. Records are numbered
// within their segment from 0 (their ordinal); positions being dense, position
// minus the segment's base is the ordinal.
type index interface {
	// count returns the number of records.
	count() uint32
	// offset returns where a record begins; offset(count()) is where the last one ends.
	offset(ord uint32) uint32
	// labels returns the numbers of a record's category and type.
	labels(ord uint32) (category, typ uint16)
	// idHash returns the short form of a record's event id.
	idHash(ord uint32) uint32
	// category and eventType return the name of a number; "" for unnamed.
	category(n uint16) string
	eventType(n uint16) string
	// find returns what the segment holds of a stream. Names are compared
	// through is when the index knows only hashes.
	find(stream domain.StreamID, hash uint64, is func(ord uint32) (bool, error)) (part, bool, error)
	// ordinals appends the records of a part with revisions from..to, ascending.
	ordinals(dst []uint32, p part, from, to domain.Revision) []uint32
	// system tells whether there may be system records.
	system() bool
	// removed tells whether there are records of removed events; their type is "".
	removed() bool
}

// part is what one segment holds of a stream.
type part struct {
	first domain.Revision // of the stream in the segment
	count uint32
	prev  uint32 // number of the segment with the part before; noSegment, or unknownSegment
	at    uint32 // in memory: ordinal of the last record; in a file: first posting
	last  uint32 // ordinal of the last record
	file  bool   // found in an index file
}

func (p part) lastRevision() domain.Revision { return p.first + domain.Revision(p.count) - 1 }

const (
	noSegment      uint32 = 0 // segments are numbered from 1
	unknownSegment uint32 = 1<<32 - 1
)

// unnamed is the number of categories and types beyond what a segment numbers.
const unnamed uint16 = 1<<16 - 1
