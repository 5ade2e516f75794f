package embedded

import (
	"github.com/google/uuid"

	"strata/domain"
)

// stagedAt returns the index of a stream's staged event, or -1.
func (w *writer) stagedAt(h *head, rev domain.Revision) int {
	for i := h.lastStaged - 1; i >= 0; i = w.group.events[i].before - 1 {
		if w.group.events[i].revision == rev {
			return i
		}
	}
	return -1
}

// positionAt returns the position of an event of a stream, durable or staged.
func (w *writer) positionAt(h *head, rev domain.Revision) (domain.Position, error) {
	if i := w.stagedAt(h, rev); i >= 0 {
		return w.next + domain.Position(i), nil
	}
	seg, _, ord, err := w.place(h, rev)
	if err != nil || seg == nil {
		return 0, err
	}
	return seg.base + domain.Position(ord), nil
}

// hasID tells whether the event of a stream at a revision has an id.
func (w *writer) hasID(h *head, rev domain.Revision, id uuid.UUID) (bool, error) {
	if i := w.stagedAt(h, rev); i >= 0 {
		return w.group.events[i].id == id, nil
	}
	seg, x, ord, err := w.place(h, rev)
	if err != nil || seg == nil || x.idHash(ord) != idHash(id) {
		return false, err
	}
	return seg.hasID(x, ord, id)
}

// hasID reads a record to compare its id in full.
func (s *segment) hasID(x *content, ord uint32, id uuid.UUID) (same bool, err error) {
	err = s.fetch(x, []uint32{ord}, new(readBuffer), func(r *record) { same = r.id == id })
	return same, err
}

// place finds the durable record of a stream at a revision; nil when there is none.
func (w *writer) place(h *head, rev domain.Revision) (*segment, *content, uint32, error) {
	st := h.durable
	parts := w.log.parts(h.stream, st)
	for parts.next() {
		if rev < parts.part.first {
			continue
		}
		if rev > parts.part.lastRevision() {
			break
		}
		ords := parts.index.ordinals(nil, parts.part, rev, rev)
		return parts.seg, parts.index, ords[0], nil
	}
	return nil, nil, 0, parts.err
}

// recentRevision finds the revision at which a stream holds an event id, among
// the latest events of the log.
func (w *writer) recentRevision(h *head, id uuid.UUID) (domain.Revision, bool, error) {
	if i, ok := w.group.ids[id]; ok && w.group.events[i].head == h {
		return w.group.events[i].revision, true, nil
	}
	hash := idHash(id)
	if !w.recent.mayHave(hash) {
		return 0, false, nil
	}
	oldest := domain.Position(0)
	if n := domain.Position(w.log.opts.RepeatWindow); w.next > n {
		oldest = w.next - n
	}
	parts := w.log.parts(h.stream, h.durable)
	var ords []uint32
	for parts.next() {
		p, s := parts.part, parts.seg
		ords = parts.index.ordinals(ords[:0], p, p.first, p.lastRevision())
		for i := len(ords) - 1; i >= 0; i-- {
			if s.base+domain.Position(ords[i]) < oldest {
				return 0, false, nil
			}
			if parts.index.idHash(ords[i]) != hash {
				continue
			}
			if same, err := s.hasID(parts.index, ords[i], id); same || err != nil {
				return p.first + domain.Revision(i), same, err
			}
		}
	}
	return 0, false, parts.err
}
