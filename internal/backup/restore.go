package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"strata/streams/embedded"
)

// Restore puts a backup into a data directory, which must be empty or missing;
// log names its directory of the event log. Every hash is checked before
// anything is written, and every record of the log afterwards. What Restore
// leaves behind when it fails or is killed is not taken for a data directory,
// and a second call begins anew.
func Restore(ctx context.Context, from, dir, log string, o Options) (_ *Manifest, err error) {
	m, faults, err := Verify(ctx, from, Options{})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("the backup is damaged, nothing was restored: %w", err)
	}
	parts := make([]string, 0, len(m.Files)+1)
	for _, f := range m.Files {
		parts = append(parts, f.Path)
	}
	a, err := Arrive(dir, true, append(parts, log)...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Abandon())
		}
	}()
	for _, f := range m.Files {
		if err := fetch(ctx, from, f.Stored, a.Path(f.Path)); err != nil {
			return nil, err
		}
	}
	var done int64
	for i, s := range m.Segments {
		if err := fetch(ctx, from, s.Stored, filepath.Join(a.Path(log), fmt.Sprintf("%09d.log", s.Number))); err != nil {
			return nil, err
		}
		done += s.Bytes
		if o.Progress != nil {
			o.Progress(Progress{Done: i + 1, Total: len(m.Segments), Bytes: done})
		}
	}
	if err := proveLog(ctx, a.Path(log), m); err != nil {
		return nil, err
	}
	return m, a.Finish()
}

// fetch copies a file of the backup and compares what it copied.
func fetch(ctx context.Context, from string, s Stored, to string) error {
	path := filepath.Join(from, filepath.FromSlash(s.Name))
	sum, _, err := copyFile(ctx, path, to)
	if err != nil {
		return err
	}
	if sum != s.SHA256 {
		return fmt.Errorf("%s is damaged: its SHA-256 is not the one in the manifest", path)
	}
	return nil
}

// proveLog opens the restored log, which builds its indexes and notes its end,
// and verifies every record of it.
func proveLog(ctx context.Context, dir string, m *Manifest) error {
	if err := syncDir(dir); err != nil {
		return err
	}
	l, err := embedded.Open(dir, embedded.Options{})
	if err != nil {
		return fmt.Errorf("open the restored log: %w", err)
	}
	head, err := l.Head(ctx)
	if err := errors.Join(err, l.Close()); err != nil {
		return fmt.Errorf("open the restored log: %w", err)
	}
	rep, err := embedded.Verify(dir)
	if err != nil {
		return fmt.Errorf("verify the restored log: %w", err)
	}
	for _, f := range rep.Faults {
		err = errors.Join(err, errors.New(f.String()))
	}
	if err == nil && (head != m.Position || rep.Head != m.Position) {
		err = fmt.Errorf("it ends at position %d, the manifest says %d", rep.Head, m.Position)
	}
	if err != nil {
		return fmt.Errorf("the restored log is damaged: %w", err)
	}
	return os.RemoveAll(filepath.Join(dir, "LOCK"))
}
