package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"strata/domain"
	"strata/streams"
)

// ErrScavenging is returned when a log is being scavenged already.
var ErrScavenging = errors.New("the event log is being scavenged already")

// ScavengeOptions say how a log is scavenged. The zero value is as fast as it
// goes.
type ScavengeOptions struct {
	// BytesPerSecond limits what is read and written again; 0 is no limit.
	BytesPerSecond int64
	// Progress hears of every segment that was looked at, from the goroutine
	// that scavenges.
	Progress func(ScavengeReport)
}

// ScavengeReport is what a scavenge did, or has done so far.
type ScavengeReport struct {
	StartedAt time.Time     `json:"started_at"`
	Took      time.Duration `json:"took"`
	Streams   int           `json:"streams"`   // that hide events
	Segments  int           `json:"segments"`  // sealed ones there are
	Looked    int           `json:"looked"`    // segments looked at
	Rewritten int           `json:"rewritten"` // segments replaced
	Removed   uint64        `json:"removed"`   // events
	Freed     int64         `json:"freed"`     // bytes of segments
}

// Scavenge removes from the sealed segments what no stream shows any more, as
// of now: the events that MaxCount, MaxAge and TruncateBefore hide, and those of
// deleted and tombstoned streams. Their type, workspace, metadata and data leave
// the disk; what stays of each is its id, stream, revision, position and time,
// some 64 bytes and the stream's name. So positions and revisions never change,
// repeated appends are recognised as before, and [Verify] finds nothing missing.
// Whole-log reads and subscriptions pass over what was removed. A read of a stream
// that is under way may miss what was hidden after it began.
//
// Appends, reads and subscriptions go on meanwhile. Segments are replaced one by
// one, each in one step: whenever it is stopped, by ctx, an error or a crash, the
// log is whole, and what was freed stays freed. It needs free space for one
// segment. If the segment being written holds something to remove, it is sealed
// before its time.
//
// The report tells what was done also when there is an error: one matching
// [ErrScavenging], [streams.ErrFull], [streams.ErrClosed], the error of ctx, or a
// [*CorruptError]: a damaged segment stays as it is.
func (l *Log) Scavenge(ctx context.Context, o ScavengeOptions) (ScavengeReport, error) {
	if o.BytesPerSecond < 0 {
		return ScavengeReport{}, fmt.Errorf("scavenge: BytesPerSecond is %d, it must not be negative", o.BytesPerSecond)
	}
	if !l.scavenging.TryLock() {
		return ScavengeReport{}, ErrScavenging
	}
	defer l.scavenging.Unlock()
	if l.closed.Load() {
		return ScavengeReport{}, streams.ErrClosed
	}
	start := time.Now()
	s := scavenger{log: l, opts: o, report: ScavengeReport{StartedAt: l.opts.Clock().UTC()}}
	s.pace = throttle{perSecond: o.BytesPerSecond, begin: start}
	err := s.run(ctx)
	s.report.Took = time.Since(start)
	if errors.Is(err, context.Canceled) && l.closed.Load() {
		err = streams.ErrClosed
	}
	if outOfSpace(err) {
		err = fmt.Errorf("%w: %w", streams.ErrFull, err)
	}
	if err != nil {
		return s.report, fmt.Errorf("scavenge: %w", err)
	}
	return s.report, l.rememberScavenge(s.report)
}

// scavenger is one scavenge.
type scavenger struct {
	log    *Log
	opts   ScavengeOptions
	pace   throttle
	report ScavengeReport
	cuts   map[domain.StreamID]cut
	hashes map[uint64]cut // the same by hash, for segments know no names
}

// cut is what of a stream is to go.
type cut struct {
	below domain.Revision // revisions below this one
	since int64           // and what was recorded before, in microseconds
}

func (c cut) removes(r *record) bool {
	return r.flags&flagRemoved == 0 && (r.revision < c.below || r.at < c.since)
}

func (s *scavenger) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // Close need not wait for the whole
		select {
		case <-s.log.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := s.plan(ctx); err != nil || len(s.cuts) == 0 {
		return err
	}
	list := s.log.list()
	sealed := list[:len(list)-1]
	s.report.Segments = len(sealed)
	for _, seg := range sealed {
		if seg.sealed != nil {
			select {
			case <-seg.sealed:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.segment(ctx, seg); err != nil {
			return err
		}
		s.report.Looked++
		if s.opts.Progress != nil {
			s.opts.Progress(s.report)
		}
	}
	return nil
}

// plan finds the streams that hide events, from the records that say so, and
// has the segment being written sealed if it holds some of those events. It
// keeps about 200 bytes per such stream in memory.
func (s *scavenger) plan(ctx context.Context) error {
	s.cuts, s.hashes = map[domain.StreamID]cut{}, map[uint64]cut{}
	now := s.log.opts.Clock()
	list := s.log.list()
	writing := list[len(list)-1]
	seal := false
	filter := &streams.Filter{Types: []string{streams.TypeMetadata, streams.TypeTombstone}}
	for e, err := range s.log.ReadAll(ctx, streams.ReadAll{Filter: filter}) {
		if err != nil {
			return err
		}
		if !isSystem(e.Stream) {
			continue
		}
		name := e.Stream[len(metaStream("")):]
		if _, known := s.cuts[name]; known {
			continue
		}
		st, err := s.state(ctx, name)
		if err != nil {
			return err
		}
		c, any := st.cut(now)
		if !any {
			continue
		}
		s.cuts[name] = c
		hash := streamHash(name)
		same := s.hashes[hash]
		s.hashes[hash] = cut{below: max(c.below, same.below), since: max(c.since, same.since)}
		if st.seg == writing && !seal {
			if seal, err = s.inActive(ctx, name, writing, st, c); err != nil {
				return err
			}
		}
	}
	s.report.Streams = len(s.cuts)
	if !seal {
		return nil
	}
	r := requests.Get().(*request)
	r.op = opSeal
	_, err := s.log.submit(ctx, r)
	return err
}

// inActive tells whether the segment being written holds something to remove of
// a stream: the first it holds of it is the first to go.
func (s *scavenger) inActive(ctx context.Context, name domain.StreamID, seg *segment, st headState, c cut) (removes bool, err error) {
	err = s.log.using(ctx, func() error {
		at := located{seg, st.part}
		x, err := at.refresh(name, streamHash(name))
		if err != nil {
			return err
		}
		first := x.ordinals(nil, at.part, at.part.first, at.part.first)
		return seg.fetch(x, first, new(readBuffer), func(r *record) { removes = c.removes(r) })
	})
	return removes, err
}

func (s *scavenger) state(ctx context.Context, name domain.StreamID) (st headState, err error) {
	err = s.log.using(ctx, func() error {
		st, err = s.log.state(name)
		return err
	})
	return st, err
}

// cut tells what of a stream is hidden, if anything can be.
func (s *headState) cut(now time.Time) (cut, bool) {
	if s.control == nil || s.last < 0 {
		return cut{}, false
	}
	if s.tombstoned() {
		return cut{below: math.MaxInt64}, true
	}
	c := cut{below: s.visible()}
	if s.control.MaxAge > 0 {
		c.since = now.Add(-s.control.MaxAge).UnixMicro()
	}
	return c, c.below > 0 || c.since > 0
}

// scavengeFile remembers the last scavenge that came to its end, for those who
// look after the log; nothing depends on it.
const scavengeFile = "scavenged"

func (l *Log) rememberScavenge(r ScavengeReport) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("scavenge: %w", err)
	}
	err = writeWhole(l.opts.FS, l.dir, filepath.Join(l.dir, scavengeFile), b, false)
	if err != nil {
		return fmt.Errorf("scavenge: it is done, but could not be noted: %w", err)
	}
	return nil
}

// LastScavenge tells of the last scavenge that came to its end; ok is false when
// there was none, or nothing is known of it any more.
func (l *Log) LastScavenge() (r ScavengeReport, ok bool, err error) {
	b, unmap, err := l.opts.FS.Map(filepath.Join(l.dir, scavengeFile))
	if errors.Is(err, os.ErrNotExist) {
		return r, false, nil
	}
	if err != nil {
		return r, false, fmt.Errorf("read about the last scavenge: %w", err)
	}
	ok = json.Unmarshal(b, &r) == nil
	return r, ok, unmap()
}

// Stats are the figures of an open log.
type Stats struct {
	Head       domain.Position
	Segments   int   // the one being written included
	Bytes      int64 // of segments, as far as they are written
	IndexBytes int64 // of the index files of sealed segments
}

// Stats returns the log's figures.
func (l *Log) Stats() (Stats, error) {
	if err := l.enter(); err != nil {
		return Stats{}, err
	}
	defer l.leave()
	out := Stats{Head: domain.Position(l.durable.Load())}
	for _, s := range l.list() {
		x := s.index()
		out.Segments++
		if f, ok := x.(*fileIndex); ok {
			out.Bytes += f.dataEnd
			out.IndexBytes += int64(len(f.data))
			continue
		}
		out.Bytes += int64(x.offset(x.count()))
	}
	return out, nil
}
