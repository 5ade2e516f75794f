package embedded

import (
	"errors"
	"fmt"
)

// finishSealing cuts a full segment to its length and writes its index file.
// When that fails, as on a full disk, the segment is still complete and its
// index stays in memory; the next sealing and the next opening try again.
func (l *Log) finishSealing(s *segment) {
	defer close(s.sealed)
	l.sealMu.Lock()
	defer l.sealMu.Unlock()
	list := l.list()
	for _, s := range list[:len(list)-1] {
		m, ok := s.index().(*memIndex)
		if !ok {
			continue
		}
		if err := l.seal(s, m); err != nil {
			l.opts.Logger.Error("could not write the index of a log segment; it stays in memory",
				"segment", s.path, "error", err)
			return
		}
	}
	l.makeFilters()
}

func (l *Log) seal(s *segment, m *memIndex) error {
	end := int64(m.offset(m.count()))
	if size, err := s.file().Size(); err != nil || size != end {
		if err == nil {
			err = s.file().Truncate(end)
		}
		if err == nil && !l.opts.NoSync {
			err = s.file().Sync()
		}
		if err != nil {
			return fmt.Errorf("cut %s to its length: %w", s.path, err)
		}
	}
	return s.writeIndex(l, m)
}

// writeIndex writes the index file and goes over to it.
func (s *segment) writeIndex(l *Log, m *memIndex) error {
	name := indexPath(s.path)
	if err := writeWhole(l.opts.FS, l.dir, name, encodeIndex(m, s.no, s.base), !l.opts.NoSync); err != nil {
		return err
	}
	x, err := openIndex(l.opts.FS, name)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unmaps = append(s.unmaps, x.unmap)
	s.setIndex(x)
	return nil
}

// indexRepaired hears of an index that was found damaged while in use, and puts
// a good file in its place for the next opening.
func (l *Log) indexRepaired(s *segment, m *memIndex, cause error) {
	l.opts.Logger.Warn("index of a log segment was built again", "segment", s.path, "reason", cause)
	if err := writeWhole(l.opts.FS, l.dir, indexPath(s.path), encodeIndex(m, s.no, s.base), !l.opts.NoSync); err != nil {
		l.opts.Logger.Error("could not write the index of a log segment", "segment", s.path, "error", err)
	}
}

func (s *segment) close() error {
	var faults []error
	for _, unmap := range s.unmaps {
		faults = append(faults, unmap())
	}
	return errors.Join(append(faults, s.file().Close())...)
}
