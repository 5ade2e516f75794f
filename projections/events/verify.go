package events

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"strata/domain"
	"strata/projections/audit"
	"strata/streams"
)

// Reason says what is wrong with an entry of the trail.
type Reason string

// The reasons.
const (
	Altered Reason = "altered" // it is not what the log recorded, or its hash does not fit it
	Missing Reason = "missing" // the log has the event, the trail has not
	Unknown Reason = "unknown" // the trail has it, the log never had
	Moved   Reason = "moved"   // it does not follow the entry before it
	EndCut  Reason = "end"     // the chain does not end where it says it ends
)

// Broken is the first entry of a chain that is not as it was written.
type Broken struct {
	ID       string
	Position domain.Position
	Reason   Reason
	Detail   string // one sentence
}

// Verification is the result of checking a chain.
type Verification struct {
	Checked  int             // entries that were found to be right
	Broken   *Broken         // nil when the chain is whole
	Gone     int             // checked entries whose events have been removed from the log by its own rules
	Position domain.Position // the check covers the log up to here
	Head     audit.Hash      // of the last entry checked: keep it elsewhere to prove the past later
}

// Verify checks the chain of a workspace or of an organization, or the part of
// it from one time to another (zero times do not limit): each entry's hash, its
// link to the one before, and each of its fields against the event in the log.
// It stops at the first that is broken. An end that was cut off is found by
// comparison with the log. Memory is that of a page of entries.
func (r *Reader) Verify(ctx context.Context, chain string, since, until time.Time) (Verification, error) {
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return Verification{}, ctx.Err()
	}
	end, err := r.endOf(ctx, chain)
	if err != nil {
		return Verification{}, err
	}
	from, to, err := r.between(ctx, chain, since, until, end.reached)
	if err != nil {
		return Verification{}, err
	}
	v := &verifier{Reader: r, chain: chain}
	v.result.Position = to
	if from > 1 {
		if v.result.Head, err = r.hashBefore(ctx, chain, from); err != nil {
			return Verification{}, err
		}
	}
	if err := v.walk(ctx, from, to); err != nil {
		return Verification{}, fmt.Errorf("verify the chain of %s: %w", chain, err)
	}
	if v.result.Broken == nil && to == end.reached && !v.waits {
		v.compareEnd(end, from <= 1)
	}
	return v.result, nil
}

// chainEnd is how a chain says it ends, and how far the model has come.
type chainEnd struct {
	link
	reached domain.Position
}

func (r *Reader) endOf(ctx context.Context, chain string) (chainEnd, error) {
	var e chainEnd
	// One statement: what is committed from here on is not looked at.
	err := r.db.QueryRow(ctx, `SELECT k.position, coalesce(c.hash, ''), coalesce(c.events, 0), coalesce(c.position, 0)
		FROM strata_checkpoint k LEFT JOIN event_chains c ON c.chain = ?`, chain).
		Scan(&e.reached, hashColumn{&e.hash}, &e.events, &e.position)
	if err != nil {
		return e, fmt.Errorf("end of the chain of %s: %w", chain, err)
	}
	return e, nil
}

// between finds the positions of a chain's entries from one time to another.
func (r *Reader) between(ctx context.Context, chain string, since, until time.Time, reached domain.Position) (from, to domain.Position, err error) {
	from, to = 1, reached
	if !since.IsZero() {
		err = r.db.QueryRow(ctx, "SELECT coalesce(min(position), ?) FROM events WHERE chain = ? AND occurred_at >= ?",
			int64(reached)+1, chain, since.UnixMicro()).Scan(&from)
	}
	if err == nil && !until.IsZero() {
		err = r.db.QueryRow(ctx, "SELECT coalesce(max(position), 0) FROM events WHERE chain = ? AND occurred_at < ? AND position <= ?",
			chain, until.UnixMicro(), int64(reached)).Scan(&to)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("range of the chain of %s: %w", chain, err)
	}
	return from, to, nil
}

func (r *Reader) hashBefore(ctx context.Context, chain string, at domain.Position) (audit.Hash, error) {
	var h audit.Hash
	err := r.db.QueryRow(ctx, "SELECT hash FROM events WHERE chain = ? AND position < ? ORDER BY position DESC LIMIT 1", chain, int64(at)).Scan(hashColumn{&h})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return h, fmt.Errorf("entry before %d: %w", at, err)
	}
	return h, nil
}

// verifier goes along a chain and the log at the same time.
type verifier struct {
	*Reader
	chain  string
	result Verification
	last   domain.Position // of the last entry checked
	waits  bool            // the model has set an event of the chain aside: it ends there
}

func (v *verifier) walk(ctx context.Context, from, to domain.Position) error {
	nextRow, stopRows := iter.Pull2(v.rows(ctx, from, to))
	defer stopRows()
	nextEvent, stopEvents := iter.Pull2(v.events(ctx, from, to))
	defer stopEvents()
	row, err, hasRow := nextRow()
	event, eventErr, hasEvent := nextEvent()
	for hasRow || hasEvent {
		if err := errors.Join(err, eventErr); err != nil {
			return err
		}
		takeRow := hasRow && (!hasEvent || row.Position <= event.Position)
		takeEvent := hasEvent && (!hasRow || event.Position <= row.Position)
		switch {
		case takeRow && takeEvent:
			v.compare(row, event)
		case takeRow:
			err = v.without(ctx, row)
		default:
			err = v.missing(ctx, event)
		}
		if err != nil || v.result.Broken != nil || v.waits {
			return err
		}
		if takeRow {
			row, err, hasRow = nextRow()
		}
		if takeEvent {
			event, eventErr, hasEvent = nextEvent()
		}
	}
	return nil
}

func (v *verifier) fail(e *audit.Entry, reason Reason, format string, args ...any) {
	v.result.Broken = &Broken{ID: e.ID, Position: e.Position, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

// compare checks an entry against its event; it is named as the log names it.
func (v *verifier) compare(row *checkedRow, event *audit.Entry) {
	event.Prev, event.Hash = row.Prev, row.Hash
	if column := row.differs(event); column != "" {
		v.fail(event, Altered, "its %s is not what the log recorded", column)
		return
	}
	v.follow(&row.Entry)
}

// follow checks that an entry follows the one before it.
func (v *verifier) follow(e *audit.Entry) {
	switch {
	case e.Prev != v.result.Head:
		v.fail(e, Moved, "it does not follow the entry before it")
	case e.Hash != e.Digest():
		v.fail(e, Altered, "its hash does not fit it")
	default:
		v.result.Checked++
		v.result.Head, v.last = e.Hash, e.Position
	}
}

// without checks an entry whose event is not in the log. That is right only
// when the log was told to forget it.
func (v *verifier) without(ctx context.Context, row *checkedRow) error {
	forgotten, err := v.forgotten(ctx, &row.Entry)
	if err != nil {
		return err
	}
	if !forgotten {
		v.fail(&row.Entry, Unknown, "the log has no such event")
		return nil
	}
	if v.follow(&row.Entry); v.result.Broken == nil {
		v.result.Gone++
	}
	return nil
}

// forgotten tells whether a stream was deleted or truncated past an event, so
// that the log may have removed it.
func (v *verifier) forgotten(ctx context.Context, e *audit.Entry) (bool, error) {
	told := false
	for _, err := range v.store.ReadStream(ctx, "$$"+e.Stream, streams.ReadStream{Limit: 1}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		told = true
	}
	for first, err := range v.store.ReadStream(ctx, e.Stream, streams.ReadStream{Limit: 1}) {
		if errors.Is(err, streams.ErrStreamNotFound) || errors.Is(err, streams.ErrTombstoned) {
			return told, nil
		}
		return told && first.Revision > e.Revision, err
	}
	return told, nil
}

// missing judges an event that is not in the chain: it may wait, with all that
// follow, for somebody to look at why it could not be listed.
func (v *verifier) missing(ctx context.Context, event *audit.Entry) error {
	var parked int
	err := v.db.QueryRow(ctx, "SELECT count(*) FROM strata_parked WHERE position = ?", int64(event.Position)).Scan(&parked)
	if err != nil {
		return err
	}
	if parked > 0 {
		v.waits, v.result.Position = true, event.Position-1
		return nil
	}
	v.fail(event, Missing, "the log has it, the audit trail has not")
	return nil
}

// compareEnd checks what the chain says about its end.
func (v *verifier) compareEnd(end chainEnd, whole bool) {
	if end.hash == v.result.Head && (!whole || end.events == v.result.Checked && end.position == v.last) {
		return
	}
	v.result.Broken = &Broken{Position: end.position, Reason: EndCut, Detail: "the chain does not end where it says it ends"}
}

// events yields the log's events of the chain as the entries they must be, but
// for their hashes.
func (v *verifier) events(ctx context.Context, from, to domain.Position) iter.Seq2[*audit.Entry, error] {
	filter := &streams.Filter{TypePrefixes: prefixesOf(v.codec.Types())}
	all := streams.ReadAll{From: from, Filter: filter}
	if from <= 1 { // no event needs to be there
		all.From = 0
	}
	return func(yield func(*audit.Entry, error) bool) {
		if from > to {
			return
		}
		for r, err := range v.store.ReadAll(ctx, all) {
			if err != nil {
				yield(nil, err)
				return
			}
			if r.Position > to {
				return
			}
			if r.Workspace != "" && r.Workspace != v.chain {
				continue
			}
			e, err := v.codec.Envelope(r)
			if err != nil {
				yield(nil, err)
				return
			}
			entry := EventOf(&e).Entry
			if entry.Chain() != v.chain {
				continue
			}
			entry.Content = audit.ContentHash(r.Meta, r.Data)
			if !yield(&entry, nil) {
				return
			}
		}
	}
}
