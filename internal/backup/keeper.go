package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"strata/domain"
)

// Errors of a [Keeper].
var (
	// ErrNoDir: the configuration names no directory for backups.
	ErrNoDir = errors.New("no directory for backups is configured")
	// ErrBusy: a backup is being made.
	ErrBusy = errors.New("a backup is being made")
	// ErrName: that is not the name of a backup.
	ErrName = errors.New("a name is made of letters, digits, dots, dashes and underscores, and begins with a letter or digit")
)

// State is what is known of a backup.
type State string

// The states of a backup.
const (
	Running  State = "running"
	Complete State = "complete"
	Failed   State = "failed" // the run; the backup before it, if any, is whole
)

// Status tells of one backup: of the run that goes on or failed, and of what is
// there.
type Status struct {
	Name     string
	State    State
	Position domain.Position // everything up to here is in it
	Segments int
	Bytes    int64
	Started  time.Time // of the run, or of the one that made what is there
	Finished time.Time // zero while it runs
	Done     int       // segments, while it runs
	Total    int
	Err      error
}

// Keeper makes backups of one installation in the background, each in a
// directory of its own below one. It is safe for concurrent use.
type Keeper struct {
	from    Installation
	dir     string
	version string
	now     func() time.Time

	mu      sync.Mutex
	stop    context.CancelFunc // nil while nothing runs
	current Status             // of the run, or of the last one when it failed
	work    sync.WaitGroup
}

// NewKeeper makes a keeper; without a directory it only says so.
func NewKeeper(from Installation, dir, version string, now func() time.Time) *Keeper {
	return &Keeper{from: from, dir: dir, version: version, now: now}
}

var nameShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Begin starts to make or renew the backup of a name and returns at once.
// Errors: ErrNoDir, ErrName, ErrBusy.
func (k *Keeper) Begin(name string) (Status, error) {
	if k.dir == "" {
		return Status{}, ErrNoDir
	}
	if !nameShape.MatchString(name) {
		return Status{}, ErrName
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.stop != nil {
		return Status{}, fmt.Errorf("%w: %s", ErrBusy, k.current.Name)
	}
	ctx, stop := context.WithCancel(context.Background())
	k.stop, k.current = stop, Status{Name: name, State: Running, Started: k.now().UTC()}
	k.work.Go(func() {
		_, err := Run(ctx, k.from, filepath.Join(k.dir, name), Options{Version: k.version, Now: k.now, Progress: k.heard})
		k.ended(err)
	})
	return k.current, nil
}

func (k *Keeper) heard(p Progress) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current.Done, k.current.Total = p.Done, p.Total
}

func (k *Keeper) ended(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stop()
	k.stop = nil
	k.current.State, k.current.Finished, k.current.Err = Complete, k.now().UTC(), err
	if err != nil {
		k.current.State = Failed
	}
}

// List tells of all backups, by name.
func (k *Keeper) List() ([]Status, error) {
	if k.dir == "" {
		return nil, ErrNoDir
	}
	entries, err := os.ReadDir(k.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	k.mu.Lock()
	current := k.current
	k.mu.Unlock()
	out := []Status{}
	for _, e := range entries {
		if e.IsDir() && nameShape.MatchString(e.Name()) && e.Name() != current.Name {
			if s, found := k.found(e.Name()); found {
				out = append(out, s)
			}
		}
	}
	if current.Name != "" {
		out = append(out, k.with(current))
	}
	slices.SortFunc(out, func(a, b Status) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Get tells of one backup. The error matches [ErrNone] when there is none.
func (k *Keeper) Get(name string) (Status, error) {
	all, err := k.List()
	if err != nil {
		return Status{}, err
	}
	if i := slices.IndexFunc(all, func(s Status) bool { return s.Name == name }); i >= 0 {
		return all[i], nil
	}
	return Status{}, fmt.Errorf("%w of the name %q", ErrNone, name)
}

// found tells of a directory; one without a manifest is no backup.
func (k *Keeper) found(name string) (Status, bool) {
	m, err := Read(filepath.Join(k.dir, name))
	if errors.Is(err, ErrNone) {
		return Status{}, false
	}
	if err != nil {
		return Status{Name: name, State: Failed, Err: err}, true
	}
	return Status{Name: name, State: Complete, Position: m.Position, Segments: len(m.Segments), Bytes: m.Bytes(),
		Started: m.Started, Finished: m.Finished}, true
}

// with adds to the status of a run what is there: what it has made, or what the
// run before it made.
func (k *Keeper) with(run Status) Status {
	there, found := k.found(run.Name)
	if !found {
		return run
	}
	if run.State == Complete {
		return there
	}
	run.Position, run.Segments, run.Bytes = there.Position, there.Segments, there.Bytes
	return run
}

// Close cuts a run short, which leaves the backup before it whole.
func (k *Keeper) Close() error {
	k.mu.Lock()
	if k.stop != nil {
		k.stop()
	}
	k.mu.Unlock()
	k.work.Wait()
	return nil
}
