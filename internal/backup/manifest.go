package backup

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"strata/domain"
)

const (
	manifestName = "manifest.json"
	lockName     = "LOCK"
	logDir       = "log"
	filesDir     = "files"

	format = 1
)

// ErrNone is returned for a directory that holds no backup.
var ErrNone = errors.New("there is no backup")

// Manifest says what belongs to a backup.
type Manifest struct {
	Format   int       `json:"format"`
	Version  string    `json:"version"` // of Strata
	Started  time.Time `json:"started_at"`
	Finished time.Time `json:"finished_at"`

	// Position is that of the last event: everything up to it is here.
	Position domain.Position `json:"position"`
	// FirstEvent is the id of the log's first event. It tells logs apart.
	FirstEvent uuid.UUID `json:"first_event"`
	Segments   []Segment `json:"segments"` // oldest first
	Files      []File    `json:"files"`
	// Keys is the path of that file which holds the subject keys; "" when the
	// installation had none.
	Keys string `json:"keys,omitempty"`

	// Checksum is the SHA-256 of the manifest without it.
	Checksum string `json:"checksum"`
}

// Segment is one segment of the log.
type Segment struct {
	Number uint32          `json:"number"`
	First  domain.Position `json:"first"`
	Next   domain.Position `json:"next"`
	Stored
	// Of the original, when it was sealed: the same size and time mean the same
	// content.
	SourceBytes    int64 `json:"source_bytes,omitempty"`
	SourceModified int64 `json:"source_modified,omitempty"` // Unix nanoseconds
}

// File is any other file.
type File struct {
	Path string `json:"path"` // in a data directory, with slashes
	Stored
}

// Stored is a file of the backup.
type Stored struct {
	Name   string `json:"file"` // in the backup directory, with slashes
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Bytes is the size of the backup.
func (m *Manifest) Bytes() int64 {
	var n int64
	for _, s := range m.stored() {
		n += s.Bytes
	}
	return n
}

// stored lists all hashed files.
func (m *Manifest) stored() []Stored {
	out := make([]Stored, 0, len(m.Segments)+len(m.Files))
	for _, s := range m.Segments {
		out = append(out, s.Stored)
	}
	for _, f := range m.Files {
		out = append(out, f.Stored)
	}
	return out
}

// Read reads the manifest of a backup directory. The error matches [ErrNone]
// when there is none.
func Read(dir string) (*Manifest, error) {
	path := filepath.Join(dir, manifestName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in %s", ErrNone, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if m.Format != format {
		return nil, fmt.Errorf("%s has format %d, this program reads format %d", path, m.Format, format)
	}
	sum, err := m.sum()
	if err != nil {
		return nil, err
	}
	if sum != m.Checksum {
		return nil, fmt.Errorf("%s is damaged: its checksum does not match", path)
	}
	return &m, m.check(path)
}

// check refuses names that lead out of a directory.
func (m *Manifest) check(path string) error {
	names := make([]string, 0, len(m.Segments)+2*len(m.Files))
	for _, s := range m.stored() {
		names = append(names, s.Name)
	}
	for _, f := range m.Files {
		names = append(names, f.Path)
	}
	for _, name := range names {
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return fmt.Errorf("%s names %q, which is not inside the directory", path, name)
		}
	}
	return nil
}

func (m *Manifest) sum() (string, error) {
	bare := *m
	bare.Checksum = ""
	text, err := json.Marshal(&bare)
	if err != nil {
		return "", fmt.Errorf("encode the manifest: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// write puts the manifest in place in one step.
func (m *Manifest) write(dir string) (err error) {
	if m.Checksum, err = m.sum(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the manifest: %w", err)
	}
	return replace(filepath.Join(dir, manifestName), append(text, '\n'))
}
