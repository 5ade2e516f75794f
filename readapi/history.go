package readapi

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
)

// What stands for a resource that is not there, and for a secret.
const (
	nothing = "{}"
	masked  = `"********"`
)

// view spells what is compared of a moment: what is shown, without the lists
// that grow.
func (p *past[S, V]) view(m *history.Moment[S]) (json.RawMessage, error) {
	if !p.alive(m) {
		return json.RawMessage(nothing), nil
	}
	shown, err := p.show(m)
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(shown)
	if err != nil {
		return nil, err
	}
	if b, err = p.spell(b); err != nil || len(p.grown) == 0 {
		return b, err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, err
	}
	for _, name := range p.grown {
		delete(fields, p.mount.Spell(name))
	}
	return json.Marshal(fields)
}

// list answers with a page of revisions.
func (p *past[S, V]) list(ctx context.Context, in httpx.ListParams) (httpx.Reply[httpx.List[view.HistoryEntry]], error) {
	out := httpx.Reply[httpx.List[view.HistoryEntry]]{Body: httpx.List[view.HistoryEntry]{Items: []view.HistoryEntry{}}}
	s, last, err := p.open(ctx)
	if err != nil {
		return out, err
	}
	from, to, err := revisions(in, last)
	if err != nil || from > to {
		return out, err
	}
	before := json.RawMessage(nothing)
	err = history.Each(ctx, p.reader, s, from-1, to, func(m *history.Moment[S]) error {
		now, err := p.view(m)
		if err == nil && m.Event.Revision >= from {
			var entry view.HistoryEntry
			entry, err = p.entry(m, before, now)
			out.Body.Items = append(out.Body.Items, entry)
		}
		before = now
		return err
	})
	end := to
	out.Body.HasMore = to < last
	if in.Desc {
		slices.Reverse(out.Body.Items)
		end, out.Body.HasMore = from, from > 0
	}
	if out.Body.HasMore {
		out.Body.Next = strconv.FormatInt(int64(end), 10)
	}
	return out, err
}

// revisions cuts a page out of a history that ends at a revision. Where a page
// goes on is the last revision of the one before.
func revisions(in httpx.ListParams, last domain.Revision) (from, to domain.Revision, err error) {
	size, skip := domain.Revision(in.Limit), domain.Revision(in.Offset)
	from, to = 0, last
	if seen := cmp.Or(in.Cursor, in.After); seen != "" {
		n, err := strconv.ParseUint(seen, 10, 48)
		if err != nil {
			var f domain.Faults
			f.Add(in.Cursor != "", "cursor", "is not one that a page of this list gave")
			f.Add(in.Cursor == "", "after", "must be the revision of the last item seen")
			return 0, 0, f.Err()
		}
		from, to = domain.Revision(n)+1, min(last, domain.Revision(n)-1)
	}
	if in.Desc {
		to -= skip
		return max(0, to-size+1), to, nil
	}
	from += skip
	return from, min(last, from+size-1), nil
}

func (p *past[S, V]) entry(m *history.Moment[S], before, now json.RawMessage) (view.HistoryEntry, error) {
	e := &m.Event
	_, erased := e.Fact.(domain.Erased)
	out := view.HistoryEntry{Revision: int64(e.Revision), Position: uint64(e.Position), EventID: domain.FormatID("evt", e.ID),
		Type: e.Fact.EventType(), Actor: e.Meta.Actor, OccurredAt: e.Meta.OccurredAt, RecordedAt: m.At,
		RequestID: e.Meta.RequestID, CorrelationID: e.Meta.CorrelationID, Erased: erased}
	changes, err := history.Diff(before, now)
	if err != nil {
		return out, err
	}
	out.Changes = shownChanges(changes)
	if p.added == nil {
		return out, nil
	}
	for _, a := range p.added(m) {
		c, err := p.addition(a)
		if err != nil {
			return out, err
		}
		out.Changes = append(out.Changes, c)
	}
	return out, nil
}

// changesAt tells what a revision changed, to whoever may know.
func (p *past[S, V]) changesAt(ctx context.Context, key string, revision domain.Revision) (changes []view.Change, err error) {
	before := json.RawMessage(nothing)
	err = history.Each(ctx, p.reader, history.Subject[S]{Aggregate: p.agg, Key: key, Name: key}, revision-1, revision, func(m *history.Moment[S]) error {
		now, err := p.view(m)
		if err == nil && m.Event.Revision == revision {
			var e view.HistoryEntry
			e, err = p.entry(m, before, now)
			changes = e.Changes
		}
		before = now
		return err
	})
	return changes, err
}

func (p *past[S, V]) addition(a addition) (view.Change, error) {
	if a.secret != "" {
		c := view.Change{Path: history.Pointer(p.mount.Spell(a.secret)), Op: a.op}
		if a.op != history.Add {
			c.Before = json.RawMessage(masked)
		}
		if a.op != history.Remove {
			c.After = json.RawMessage(masked)
		}
		return c, nil
	}
	b, err := json.Marshal(a.item)
	if err != nil {
		return view.Change{}, err
	}
	b, err = p.speller(reflect.TypeOf(a.item), p.mount)(b)
	return view.Change{Path: history.Pointer(p.mount.Spell(a.list), "-"), Op: history.Add, After: b}, err
}

func shownChanges(changes []history.Change) []view.Change {
	out := make([]view.Change, len(changes))
	for i, c := range changes {
		out[i] = view.Change(c)
	}
	return out
}

// diff answers how two moments differ.
func (p *past[S, V]) diff(ctx context.Context, in *diffInput) (httpx.Reply[view.Diff], error) {
	var none httpx.Reply[view.Diff]
	from, to, err := points(in)
	if err != nil {
		return none, err
	}
	s, last, err := p.open(ctx)
	if err != nil {
		return none, err
	}
	if to == nil {
		to = &history.Point{Revision: last}
	}
	second, after, err := p.moment(ctx, s, "to", *to)
	if err != nil {
		return none, err
	}
	if from == nil {
		from = &history.Point{Revision: domain.Revision(second.Revision) - 1}
	}
	out, before := view.Diff{To: second}, json.RawMessage(nothing)
	if from.Revision >= 0 {
		var first view.Moment
		if first, before, err = p.moment(ctx, s, "from", *from); err != nil {
			return none, err
		}
		out.From = &first
	}
	changes, err := history.Diff(before, after)
	out.Changes = shownChanges(changes)
	return httpx.Reply[view.Diff]{Body: out}, err
}

// points reads the two moments of a difference; nil where none is given. All
// faults are named at once.
func points(in *diffInput) (from, to *history.Point, err error) {
	var faults []domain.FieldError
	read := func(field, text string) *history.Point {
		if text == "" {
			return nil
		}
		p, err := history.ParsePoint(field, text)
		if e, ok := errors.AsType[*domain.Error](err); ok {
			faults = append(faults, e.Fields...)
		}
		return &p
	}
	from, to = read("from", in.From), read("to", in.To)
	if len(faults) > 0 {
		return nil, nil, &domain.Error{Code: domain.CodeValidation, Message: "invalid input data", Fields: faults}
	}
	return from, to, nil
}

// moment is a point of the past and the view then.
func (p *past[S, V]) moment(ctx context.Context, s history.Subject[S], field string, at history.Point) (view.Moment, json.RawMessage, error) {
	m, err := history.At(ctx, p.reader, s, field, at)
	if err != nil {
		return view.Moment{}, nil, err
	}
	shown, err := p.view(m)
	return view.Moment{Revision: int64(m.Event.Revision), RecordedAt: m.At, Exists: p.alive(m)}, shown, err
}
