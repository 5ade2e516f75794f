package embedded

import "strata/domain"

// partIter walks the parts of a stream from the newest to the oldest.
type partIter struct {
	log    *Log
	stream domain.StreamID
	hash   uint64
	head   headState
	begun  bool

	seg   *segment
	index index
	part  part
	err   error
}

// parts begins at a state of the stream. Parts may hold events newer than that
// state; the caller keeps to its last revision.
func (l *Log) parts(stream domain.StreamID, st headState) *partIter {
	return &partIter{log: l, stream: stream, hash: streamHash(stream), head: st}
}

func (it *partIter) next() bool {
	var ok bool
	if !it.begun {
		it.begun = true
		ok = it.newest()
	} else {
		ok = it.older()
	}
	if ok {
		it.index, it.err = it.seg.columns()
		if _, file := it.index.(*fileIndex); it.err == nil && file != it.part.file {
			// The index was written to its file, or built again, since the part
			// was found: look it up there.
			it.part, ok, it.err = it.seg.find(it.stream, it.hash)
		}
	}
	return ok && it.err == nil
}

func (it *partIter) newest() bool {
	it.seg, it.part = it.head.seg, it.head.part
	return it.seg != nil
}

func (it *partIter) older() bool {
	switch it.part.prev {
	case noSegment:
		return false
	case unknownSegment:
	default:
		seg := it.log.segmentOf(it.part.prev)
		p, ok, err := seg.find(it.stream, it.hash)
		if err != nil || ok {
			it.seg, it.part, it.err = seg, p, err
			return ok
		}
	}
	it.seg, it.part, it.err = it.log.partBefore(it.stream, it.hash, it.seg.no)
	return it.seg != nil
}
