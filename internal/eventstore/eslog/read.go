package eslog

import (
	"context"
	"errors"
	"iter"
	"strings"

	"strata/domain"
	"strata/streams"
)

// present turns an event of the log into what clients see; ok is false when they
// see nothing.
func present(e *streams.Recorded) (r Record, ok bool) {
	of, system := OfMetadata(e.Stream)
	r = open(e)
	if !system {
		return r, true
	}
	switch e.Type {
	case streams.TypeTombstone: // the log keeps it beside the stream, EventStoreDB in it
		r.Stream, r.Revision = of, TombstoneRevision
	default:
		r.Data = shown(r.Data, true)
	}
	return r, true
}

// ReadStream asks for events of one stream.
type ReadStream struct {
	From      domain.Revision // the first; [streams.End] or more: the last
	Backwards bool
	Limit     int // 0 = no limit
}

// ReadStream yields events of a stream. It yields streams.ErrStreamNotFound for
// one that is missing or soft-deleted, streams.ErrTombstoned for one that is
// closed for ever. A metadata stream shows its last event only.
func (l *Log) ReadStream(ctx context.Context, stream domain.StreamID, q ReadStream) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		in, deleted, err := l.query(ctx, stream, q)
		if errors.Is(err, errNothing) {
			return
		}
		if err != nil {
			yield(Record{}, err)
			return
		}
		for e, err := range l.log.ReadStream(ctx, stream, in) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			r, ok := present(&e)
			if streams.IsSystem(stream) && ok {
				r.Data = shown(e.Data, deleted)
			}
			if ok && !yield(r, nil) {
				return
			}
		}
	}
}

var errNothing = errors.New("nothing can be in what is asked for")

// query is what to ask the log for; of a metadata stream it also tells whether the
// stream that it is about is deleted.
func (l *Log) query(ctx context.Context, stream domain.StreamID, q ReadStream) (in streams.ReadStream, deleted bool, err error) {
	in = streams.ReadStream{From: min(q.From, streams.End), Backwards: q.Backwards, Limit: q.Limit}
	of, system := OfMetadata(stream)
	if !system {
		return in, false, nil
	}
	target, err := l.log.StreamState(ctx, of)
	if err != nil {
		return in, false, err
	}
	if target.Tombstoned {
		return in, false, streams.ErrTombstoned
	}
	st, err := l.log.StreamState(ctx, stream)
	if err != nil {
		return in, false, err
	}
	if st.Last >= 0 && (q.Backwards && q.From < st.Last || !q.Backwards && q.From > st.Last) {
		return in, false, errNothing
	}
	in.From, in.Limit = max(st.Last, 0), 1
	return in, target.Deleted, nil
}

// ReadAll asks for events of the whole log.
type ReadAll struct {
	// From is a position: forwards the first that is read, backwards the first
	// that is not. [EndPosition] is behind the last event.
	From      domain.Position
	Backwards bool
	Limit     int // of matching events; 0 = no limit
	Filter    *Filter
}

// EndPosition is behind every event there will ever be.
const EndPosition domain.Position = 1<<64 - 1

// ReadAll yields events of the whole log in order of position, metadata and
// tombstones included, as they were recorded: nothing of it is hidden by streams
// that were truncated or deleted.
func (l *Log) ReadAll(ctx context.Context, q ReadAll) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		in := streams.ReadAll{Backwards: q.Backwards, Filter: q.Filter.coarse(), After: q.From}
		switch {
		case q.Backwards && q.From == 0, !q.Backwards && q.From == EndPosition:
			return
		case q.Backwards && q.From == EndPosition:
			in.After = 0 // from the end
		case !q.Backwards && q.From > 0:
			in.After = q.From - 1
		}
		left := q.Limit
		for e, err := range l.log.ReadAll(ctx, in) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			r, ok := present(&e)
			if !ok || hiddenFromAll(&r) || !q.Filter.Matches(&r) {
				continue
			}
			if !yield(r, nil) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

// hiddenFromAll tells whether readers of the whole log do not see an event: what
// subscriptions to the whole log write while they read it.
func hiddenFromAll(r *Record) bool {
	s := string(r.Stream)
	return strings.HasPrefix(s, "$persistentsubscription-$all::") &&
		(strings.HasSuffix(s, "-checkpoint") || strings.HasSuffix(s, "-parked"))
}

// LinkType is the type of an event that stands for another one, which its data
// names as "<revision>@<stream>".
const LinkType = "$>"

// Target returns what a link names; ok is false when it is no link, or none that
// can be read.
func (r *Record) Target() (stream domain.StreamID, rev domain.Revision, ok bool) {
	if r.Type != LinkType {
		return "", 0, false
	}
	number, name, found := strings.Cut(string(r.Data), "@")
	if !found || name == "" || number == "" || len(number) > 19 {
		return "", 0, false
	}
	for i := range len(number) {
		if number[i] < '0' || number[i] > '9' {
			return "", 0, false
		}
		rev = rev*10 + domain.Revision(number[i]-'0')
	}
	return domain.StreamID(name), rev, rev >= 0
}

// Resolve returns the event that a link stands for, nil when it is gone.
func (l *Log) Resolve(ctx context.Context, link *Record) (*Record, error) {
	stream, rev, ok := link.Target()
	if !ok {
		return nil, nil
	}
	for r, err := range l.ReadStream(ctx, stream, ReadStream{From: rev, Limit: 1}) {
		switch {
		case errors.Is(err, streams.ErrStreamNotFound), errors.Is(err, streams.ErrTombstoned):
			return nil, nil
		case err != nil:
			return nil, err
		case r.Revision == rev:
			return &r, nil
		}
	}
	return nil, nil
}
