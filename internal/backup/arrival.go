package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// arriving is the directory, inside a data directory, in which what is brought
// in is gathered until it is complete. As long as it is there, the data
// directory is not to be used.
const arriving = ".arriving"

// Arrival brings files into a data directory as a whole: killed at any point,
// it leaves a directory that no server starts on, and that the same tool takes
// again from the beginning.
type Arrival struct {
	dir   string
	parts []string
}

// ErrNotEmpty is returned for a data directory that is in use already.
var ErrNotEmpty = errors.New("the directory is not empty")

// Arrive begins to bring parts, named by their paths with slashes, into a data
// directory. The parts must not be there, except from an arrival that was
// interrupted; with alone nothing else may be there either.
func Arrive(dir string, alone bool, parts ...string) (*Arrival, error) {
	a := &Arrival{dir: dir, parts: parts}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if Usable(dir) != nil { // the parts are of an interrupted arrival
		for _, p := range parts {
			if err := os.RemoveAll(a.final(p)); err != nil {
				return nil, err
			}
		}
		if err := os.RemoveAll(filepath.Join(dir, arriving)); err != nil {
			return nil, err
		}
	}
	if err := a.vacant(alone); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, arriving), 0o700); err != nil {
		return nil, err
	}
	return a, syncDir(dir)
}

func (a *Arrival) vacant(alone bool) error {
	for _, p := range a.parts {
		if _, err := os.Stat(a.final(p)); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fmt.Errorf("%w: there is %s already", ErrNotEmpty, a.final(p)), err)
		}
	}
	if !alone {
		return nil
	}
	return filepath.WalkDir(a.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		return fmt.Errorf("%w: there is %s already", ErrNotEmpty, path)
	})
}

func (a *Arrival) final(part string) string { return filepath.Join(a.dir, filepath.FromSlash(part)) }

// Path is where a part is gathered.
func (a *Arrival) Path(part string) string {
	return filepath.Join(a.dir, arriving, filepath.FromSlash(part))
}

// Finish moves everything that was gathered to its place. The last part comes
// last.
func (a *Arrival) Finish() error {
	for _, p := range a.parts {
		to := a.final(p)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Rename(a.Path(p), to); err != nil {
			return err
		}
		if err := syncDir(filepath.Dir(to)); err != nil {
			return err
		}
	}
	return a.Abandon()
}

// Abandon forgets what was gathered.
func (a *Arrival) Abandon() error {
	if err := os.RemoveAll(filepath.Join(a.dir, arriving)); err != nil {
		return err
	}
	return syncDir(a.dir)
}

// Usable returns an error for a data directory that a restore or a load was
// interrupted in.
func Usable(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, arriving)); err == nil {
		return fmt.Errorf("%s is incomplete: a restore or a load into it was interrupted; run it again", dir)
	}
	return nil
}
