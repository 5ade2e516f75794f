package embedded

import (
	"fmt"

	"strata/domain"
)

// partIter walks the parts of a stream from the newest to the oldest.
type partIter struct {
	log    *Log
	stream domain.StreamID
	hash   uint64
	head   headState
	begun  bool

	seg   *segment
	index *content
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
		at := located{it.seg, it.part}
		it.index, it.err = at.refresh(it.stream, it.hash)
		it.part = at.part
	}
	return ok && it.err == nil
}

// refresh returns the content to read a part from. When the index was written to
// its file, or built again, since the part was found, it looks it up there.
func (at *located) refresh(stream domain.StreamID, hash uint64) (*content, error) {
	for {
		c, err := at.seg.columns()
		if err != nil {
			return nil, err
		}
		if _, file := c.index.(*fileIndex); file == at.part.file {
			return c, nil
		}
		p, ok, err := at.seg.find(stream, hash)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, &CorruptError{File: at.seg.path, Reason: fmt.Sprintf("stream %s is not in it any more", stream)}
		}
		at.part = p // and look again: the index may have changed meanwhile
	}
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
