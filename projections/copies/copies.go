// Package copies lets a new process begin with the read models of another.
//
// Folding a long log takes its time. A process that has its read models puts
// copies of them on a shelf, a directory that several machines see, and one that
// has none takes the newest that fits and folds only what came later. The log
// stays the truth: a copy that cannot be proven to be of this log, of this form of
// the model, whole and unchanged is passed over, and the model folded from the
// beginning.
//
// Copies hold what people said, in the clear, as read models do. Two rules keep
// what was erased from coming back. No copy is made while an erasure is going on;
// each names the last erasure before it, all of which its rows have been cleaned
// of, and is taken only while that is still the last. And an erasure clears the
// shelf: see Clear.
package copies

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/projections"
	"strata/streams"
)

// Config says where copies are. All but Logger and At is needed.
type Config struct {
	Dir    string // the shelf; made when missing
	Store  streams.Store
	Key    []byte        // with which all processes of the installation sign manifests
	Node   string        // name of this process
	Every  time.Duration // from one copy of a model to the next
	Now    func() time.Time
	Logger *slog.Logger       // default: discard
	At     func(point string) // told of points at which a process may die; default: nobody
}

// keep is how many copies of a model there are: who has begun to take the last but
// one can end it.
const keep = 2

// Shelf is a directory of copies. It is safe for concurrent use.
type Shelf struct {
	cfg Config
	mu  sync.Mutex // held while a copy is made, and while the shelf is cleared
}

// New makes a shelf over a directory.
func New(cfg Config) *Shelf {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.At == nil {
		cfg.At = func(string) {}
	}
	return &Shelf{cfg: cfg}
}

// Manifest says what a copy is.
type Manifest struct {
	Model       string          `json:"model"`
	Version     int             `json:"version"`
	Fingerprint string          `json:"fingerprint"`
	Position    domain.Position `json:"position"` // the rows reflect the log up to here
	Mark        Mark            `json:"mark"`
	Erasure     domain.Position `json:"erasure"` // the last one that was begun, 0 for none; the rows are clean of it and all before
	SHA256      string          `json:"sha256"`
	Node        string          `json:"node"` // that made it
	At          time.Time       `json:"at"`
}

// Mark is an event that was in the log when the copy was made: it tells logs apart.
type Mark struct {
	Stream   domain.StreamID `json:"stream"`
	Revision domain.Revision `json:"revision"`
	Event    uuid.UUID       `json:"event"`
}

// signed is a manifest as it is on the disk.
type signed struct {
	Manifest json.RawMessage `json:"manifest"`
	MAC      string          `json:"hmac_sha256"` // of Manifest
}

const (
	manifestFile = "manifest.json"
	rowsFile     = "model.db"
	unfinished   = ".tmp"
)

// shape is how a copy is called: model, version, position, and what makes it unique.
var shape = regexp.MustCompile(`^[a-z_-]+-v[0-9]+-[0-9]{20}-[0-9a-f]{8}(\.tmp)?$`)

func prefix(m projections.Model) string { return fmt.Sprintf("%s-v%d-", m.Name(), m.Version()) }

// entries are the names of what is on the shelf.
func (s *Shelf) entries() ([]string, error) {
	all, err := os.ReadDir(s.cfg.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("copies of read models: %w", err)
	}
	var names []string
	for _, e := range all {
		if e.IsDir() && shape.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// copied is a copy on the shelf.
type copied struct {
	name string
	Manifest
}

// of are the finished copies of a model's version, newest first, and what is there
// in their place but cannot be trusted.
func (s *Shelf) of(m projections.Model) (good []copied, bad map[string]error, err error) {
	all, err := s.entries()
	if err != nil {
		return nil, nil, err
	}
	bad = map[string]error{}
	for _, name := range all {
		if !strings.HasPrefix(name, prefix(m)) || strings.HasSuffix(name, unfinished) {
			continue
		}
		manifest, err := s.read(name)
		if err != nil {
			bad[name] = err
			continue
		}
		good = append(good, copied{name, manifest})
	}
	slices.SortStableFunc(good, func(x, y copied) int { return y.At.Compare(x.At) })
	return good, bad, nil
}

// remove takes a copy off the shelf: first its name, so that nobody begins with it.
func (s *Shelf) remove(name string) error {
	path := filepath.Join(s.cfg.Dir, name)
	if !strings.HasSuffix(name, unfinished) {
		err := os.Rename(path, path+unfinished)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // others were quicker
		}
		if err != nil {
			return fmt.Errorf("remove the copy %s: %w", name, err)
		}
		path += unfinished
	}
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("remove the copy %s: %w", name, err)
	}
	return nil
}

// Clear removes every copy, finished or not. Erasures do so after the read models
// are clean: a copy that this process was making by then is gone when it returns,
// and later ones are clean.
func (s *Shelf) Clear(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.entries()
	for _, name := range all {
		err = errors.Join(err, s.remove(name))
	}
	return err
}

// write puts the manifest beside the rows.
func (s *Shelf) write(dir string, m Manifest) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if text, err = json.Marshal(signed{Manifest: text, MAC: s.mac(text)}); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, manifestFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// read reads a manifest that a process of this installation has written.
func (s *Shelf) read(name string) (m Manifest, err error) {
	text, err := os.ReadFile(filepath.Join(s.cfg.Dir, name, manifestFile))
	if err != nil {
		return m, err
	}
	var sealed signed
	if err := json.Unmarshal(text, &sealed); err != nil {
		return m, err
	}
	if !hmac.Equal([]byte(s.mac(sealed.Manifest)), []byte(sealed.MAC)) {
		return m, errors.New("its manifest is not signed with this installation's master key")
	}
	return m, json.Unmarshal(sealed.Manifest, &m)
}

func (s *Shelf) mac(text []byte) string {
	h := hmac.New(sha256.New, s.cfg.Key)
	h.Write(text) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil))
}

// copyFile copies a file durably and returns the SHA-256 of what it held; with no
// destination, it brings the file itself to the disk.
func copyFile(ctx context.Context, from, to string) (sum string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close() // only read
	h := sha256.New()
	if to == "" {
		if _, err := io.Copy(h, &reader{ctx, in}); err != nil {
			return "", err
		}
		return hex.EncodeToString(h.Sum(nil)), in.Sync()
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.MultiWriter(h, out), &reader{ctx, in})
	return hex.EncodeToString(h.Sum(nil)), errors.Join(err, out.Sync(), out.Close())
}

// reader ends when its context does.
type reader struct {
	ctx context.Context
	in  io.Reader
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.in.Read(p)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
