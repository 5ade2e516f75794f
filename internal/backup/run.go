package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"strata/internal/sqlite"
	"strata/streams/embedded"
)

// Installation says where an installation keeps what cannot be derived. Paths
// other than Dir are in Dir, with slashes; what does not exist is left out.
type Installation struct {
	Dir   string   // data directory
	Log   string   // directory of the event log
	State []string // SQLite files that may be older than the log
	Files []string // small files that do not change
	Keys  string   // SQLite file of the subject keys
}

func (i *Installation) path(name string) string {
	return filepath.Join(i.Dir, filepath.FromSlash(name))
}

// Options are what a run needs beside the two directories.
type Options struct {
	Version  string           // of Strata, for the manifest
	Now      func() time.Time // default [time.Now]
	Progress func(Progress)   // hears after every segment; default nobody
}

// Progress tells how far a run is.
type Progress struct {
	Done, Total int   // segments
	Bytes       int64 // written so far
}

// Result tells what a run did.
type Result struct {
	*Manifest
	Copied int   // segments; the others were there already
	Wrote  int64 // bytes
}

// Run brings the backup in a directory, which it makes, up to date with an
// installation that may be running. It fails, and leaves the backup as it was,
// when the log is damaged, when the directory holds something else or the
// backup of another installation, and, with an error matching
// [embedded.ErrLocked], while another run is writing to it.
func Run(ctx context.Context, from Installation, dir string, o Options) (_ *Result, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := prepare(dir); err != nil {
		return nil, err
	}
	lock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	before, err := Read(dir)
	if errors.Is(err, ErrNone) {
		before, err = &Manifest{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w; a new backup needs another directory", err)
	}
	r := &run{from: from, dir: dir, o: o, before: before,
		out: &Result{Manifest: &Manifest{Format: format, Version: o.Version, Started: o.Now().UTC(), FirstEvent: before.FirstEvent}}}
	if err := r.all(ctx); err != nil {
		return nil, err
	}
	return r.out, nil
}

func lock(dir string) (io.Closer, error) {
	l, err := embedded.OS().Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("backup in %s: %w", dir, err)
	}
	return l, nil
}

// prepare makes the directory and refuses one that is something else's.
func prepare(dir string) error {
	for _, d := range []string{dir, filepath.Join(dir, logDir), filepath.Join(dir, filesDir)} {
		if d != dir {
			if err := ours(dir); err != nil {
				return err
			}
		}
		if err := os.MkdirAll(d, 0o700); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
	}
	return nil
}

func ours(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for _, e := range entries {
		switch e.Name() {
		case manifestName, manifestName + tmpSuffix, lockName, logDir, filesDir:
		default:
			return fmt.Errorf("%s is not a backup: it has %s", dir, e.Name())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, logDir, lockName)); err == nil {
		return fmt.Errorf("%s is not a backup: it is a data directory", dir)
	}
	return nil
}

// run is one run.
type run struct {
	from   Installation
	dir    string
	o      Options
	before *Manifest
	out    *Result
}

func (r *run) all(ctx context.Context) error {
	for _, step := range []func(context.Context) error{r.state, r.log, r.keys, r.files} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	r.out.Finished = r.o.Now().UTC()
	return r.publish()
}

// publish makes the new manifest the backup.
func (r *run) publish() error {
	for _, d := range []string{logDir, filesDir} {
		if err := syncDir(filepath.Join(r.dir, d)); err != nil {
			return err
		}
	}
	if err := r.out.write(r.dir); err != nil {
		return err
	}
	return r.sweep()
}

// state copies what reactors remember, before the log.
func (r *run) state(ctx context.Context) error {
	for _, name := range r.from.State {
		if _, err := r.database(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// database copies a SQLite file; kept is false when there is none.
func (r *run) database(ctx context.Context, name string) (kept bool, err error) {
	tmp := filepath.Join(r.dir, filesDir, filepath.Base(name)+tmpSuffix)
	err = sqlite.Copy(ctx, r.from.path(name), tmp)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	sum, size, err := hashFile(ctx, tmp)
	if err != nil {
		return false, err
	}
	return true, r.keep(name, tmp, sum, size)
}

func (r *run) files(ctx context.Context) error {
	for _, name := range r.from.Files {
		tmp := filepath.Join(r.dir, filesDir, filepath.Base(name)+tmpSuffix)
		sum, size, err := copyFile(ctx, r.from.path(name), tmp)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := r.keep(name, tmp, sum, size); err != nil {
			return err
		}
	}
	return nil
}

// keep gives a copied file its name.
func (r *run) keep(path, tmp, sum string, size int64) error {
	s := Stored{Name: filesDir + "/" + filepath.Base(path) + "-" + sum[:16], Bytes: size, SHA256: sum}
	r.out.Files = append(r.out.Files, File{Path: path, Stored: s})
	return r.settle(tmp, s)
}

// settle gives a copy its name, unless that very file is there already.
func (r *run) settle(tmp string, s Stored) error {
	if r.has(s) {
		return os.Remove(tmp)
	}
	r.out.Wrote += s.Bytes
	return os.Rename(tmp, filepath.Join(r.dir, filepath.FromSlash(s.Name)))
}

func (r *run) has(s Stored) bool {
	info, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(s.Name)))
	return err == nil && info.Size() == s.Bytes
}

// keys copies the subject keys, after the log.
func (r *run) keys(ctx context.Context) error {
	if r.from.Keys == "" {
		return nil
	}
	kept, err := r.database(ctx, r.from.Keys)
	if kept {
		r.out.Keys = r.from.Keys
	}
	if err == nil && !kept && r.before.Keys != "" {
		err = fmt.Errorf("the store of subject keys, %s, is gone: without it nothing personal can be read", r.from.path(r.from.Keys))
	}
	return err
}

// sweep removes what the manifest does not name.
func (r *run) sweep() error {
	named := map[string]bool{}
	for _, s := range r.out.stored() {
		named[s.Name] = true
	}
	for _, d := range []string{logDir, filesDir} {
		entries, err := os.ReadDir(filepath.Join(r.dir, d))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if named[d+"/"+e.Name()] {
				continue
			}
			if err := os.Remove(filepath.Join(r.dir, d, e.Name())); err != nil {
				return fmt.Errorf("remove what is no longer needed: %w", err)
			}
		}
	}
	return nil
}

// log copies the segments that are new or have changed.
func (r *run) log(ctx context.Context) error {
	segments, err := embedded.SegmentFiles(r.from.path(r.from.Log))
	if err != nil {
		return err
	}
	for _, s := range segments {
		m, err := r.segment(ctx, s)
		if err != nil {
			return err
		}
		if n := len(r.out.Segments); n > 0 && r.out.Segments[n-1].Next != m.First {
			return fmt.Errorf("segment %d ends before position %d and the next begins at %d", m.Number-1, r.out.Segments[n-1].Next, m.First)
		}
		r.out.Segments = append(r.out.Segments, m)
		r.out.Position = m.Next - 1
		if r.o.Progress != nil {
			r.o.Progress(Progress{Done: len(r.out.Segments), Total: len(segments), Bytes: r.out.Wrote})
		}
	}
	if r.out.Position < r.before.Position {
		return fmt.Errorf("the log ends at position %d, but the backup reaches %d: it is another log, or one that has lost its end",
			r.out.Position, r.before.Position)
	}
	return nil
}

func (r *run) segment(ctx context.Context, s embedded.SegmentFile) (Segment, error) {
	info, err := os.Stat(s.Path)
	if err != nil {
		return Segment{}, err
	}
	old := slices.IndexFunc(r.before.Segments, func(b Segment) bool { return b.Number == s.Number })
	if old >= 0 && s.Sealed {
		b := r.before.Segments[old]
		if b.SourceBytes == info.Size() && b.SourceModified == info.ModTime().UnixNano() && r.has(b.Stored) {
			return b, nil
		}
	}
	tmp := filepath.Join(r.dir, logDir, filepath.Base(s.Path)+tmpSuffix)
	c, err := embedded.CopySegment(ctx, s, tmp)
	if err != nil {
		return Segment{}, err
	}
	if s.Number == 1 {
		if r.before.Position > 0 && c.FirstID != r.before.FirstEvent {
			return Segment{}, fmt.Errorf("the backup in %s is of another installation", r.dir)
		}
		r.out.FirstEvent = c.FirstID
	}
	sum, size, err := hashFile(ctx, tmp)
	if err != nil {
		return Segment{}, err
	}
	m := Segment{Number: s.Number, First: c.First, Next: c.Next,
		Stored: Stored{Name: fmt.Sprintf("%s/%09d-%s.log", logDir, s.Number, sum[:16]), Bytes: size, SHA256: sum}}
	if after, err := os.Stat(s.Path); err == nil && s.Sealed && after.Size() == info.Size() && after.ModTime().Equal(info.ModTime()) {
		m.SourceBytes, m.SourceModified = info.Size(), info.ModTime().UnixNano()
	}
	r.out.Copied++
	return m, r.settle(tmp, m.Stored)
}
