package commands

import (
	"context"
	"errors"
	"slices"
	"time"

	"strata/domain"
	"strata/domain/node"
	"strata/domain/privacy"
	"strata/streams"
)

// errOthers says that what is left of an erasure is other processes' business.
var errOthers = errors.New("other nodes have yet to clean their places")

// leftToOthers tells whether this process can clean none of what is still open.
func (e *Erasures) leftToOthers(open []string) bool {
	if e.cfg.AllPlaces == nil || len(open) == 0 {
		return false
	}
	return !slices.ContainsFunc(e.cfg.Places, func(p Place) bool {
		return slices.Contains(open, p.Name) && (p.Mine == nil || p.Mine())
	})
}

// survey compares an erasure with the places there are now, and returns what is
// still open: places that went with their node are struck off, and those of a node
// that joined after the erasure's places were listed and before it was in the log
// are added. Whoever joins later reads of the erasure before it reads anything else.
func (e *Erasures) survey(ctx context.Context, s *privacy.Erasure) (still []string, err error) {
	if e.cfg.AllPlaces == nil {
		return s.Open(), nil
	}
	known, err := e.cfg.AllPlaces(ctx)
	if err != nil {
		return nil, err
	}
	id := s.ID
	if slices.ContainsFunc(known, func(name string) bool { return !s.Names(name) }) {
		if err := e.note(ctx, id, privacy.Widen{Places: known}); err != nil {
			return nil, err
		}
		now, err := e.Show(ctx, domain.System("", ""), id)
		if err != nil {
			return nil, err
		}
		s = &now
	}
	for _, name := range s.Open() {
		if slices.Contains(known, name) {
			still = append(still, name)
		} else if err := e.note(ctx, id, privacy.Report{Place: name}); err != nil {
			return nil, err
		}
	}
	return still, nil
}

// leave takes an erasure off the list until something becomes of it elsewhere.
func (e *Erasures) leave(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.nudged[id] { // something did, while this process was at it
		delete(e.nudged, id)
		e.rouse()
		return
	}
	e.pending = slices.DeleteFunc(e.pending, func(p string) bool { return p == id })
}

// nudge puts an erasure that is not completed back on the list.
func (e *Erasures) nudge(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done[id] == nil {
		return
	}
	if slices.Contains(e.pending, id) {
		e.nudged[id] = true
	} else {
		e.pending = append(e.pending, id)
	}
	e.rouse()
}

// Nudge looks at every erasure that is not completed once more: this process may
// have become the one to do what was left to others.
func (e *Erasures) Nudge() {
	e.mu.Lock()
	ids := make([]string, 0, len(e.done))
	for id := range e.done {
		ids = append(ids, id)
	}
	e.mu.Unlock()
	for _, id := range ids {
		e.nudge(id)
	}
}

func (e *Erasures) rouse() {
	select {
	case e.wake <- struct{}{}:
	default: // it is roused
	}
}

// Follow learns of erasures that other processes begin, and of how they go, until
// ctx ends. It is called after Recover.
func (e *Erasures) Follow(ctx context.Context) error {
	for {
		err := e.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.log.WarnContext(ctx, "erasures cannot be followed; trying again", "error", err, "in", e.cfg.Retry)
		select {
		case <-time.After(e.cfg.Retry):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (e *Erasures) follow(ctx context.Context) (err error) {
	cfg := e.cfg.Handler.cfg
	sub, err := cfg.Store.Subscribe(ctx, e.since, &streams.Filter{Categories: []string{privacy.Erasures.Category, node.Category}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	for {
		b, err := sub.Next(ctx, 100)
		if err != nil {
			return err
		}
		for _, r := range b.Events {
			ev, err := cfg.Codec.Decode(r)
			if err != nil {
				return err
			}
			switch id := r.Stream.Key(); ev.Fact.(type) {
			case privacy.SubjectErased:
				e.add(id)
			case privacy.PlaceErased, privacy.PlacesAdded:
				e.nudge(id)
			case privacy.ErasureCompleted:
				e.finish(id)
			case node.Left:
				e.Nudge()
			}
		}
		e.since = b.Position
	}
}
