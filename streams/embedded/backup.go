package embedded

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"strata/domain"
)

// SegmentFile is one file of a log, as whoever copies the log finds it.
type SegmentFile struct {
	Number uint32
	Path   string
	// Sealed: another segment follows, so that all of it is on disk and it
	// changes no more. It may still be cut to its length, or be replaced as a
	// whole by a scavenge.
	Sealed bool
}

// SegmentFiles lists the segments of a log, oldest first, without opening it:
// another process may be appending. Everything that was acknowledged before the
// call is in them.
func SegmentFiles(dir string) ([]SegmentFile, error) { return segmentFilesOn(OS(), dir) }

func segmentFilesOn(fsys FS, dir string) ([]SegmentFile, error) {
	names, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the event log's directory: %w", err)
	}
	var out []SegmentFile
	for _, name := range names {
		if no, ok := segmentNumber(name); ok {
			out = append(out, SegmentFile{Number: no, Path: filepath.Join(dir, name), Sealed: true})
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("there is no event log in %s", dir)
	}
	slices.SortFunc(out, func(a, b SegmentFile) int { return int(a.Number) - int(b.Number) })
	for i, s := range out {
		if want := uint32(i + 1); s.Number != want {
			return nil, &CorruptError{File: segmentPath(dir, want), Reason: "segment is missing"}
		}
	}
	out[len(out)-1].Sealed = false
	return out, nil
}

// SegmentCopy tells what is in the copy of a segment.
type SegmentCopy struct {
	First   domain.Position // where the segment begins
	Next    domain.Position // behind its last record
	FirstID uuid.UUID       // of the event at First; zero when there is none
	Bytes   int64           // of the copy
}

// CopySegment copies the records of a segment to a file, which it makes, and
// syncs it. The log may be open and taking appends. Of the segment being
// written everything that was acknowledged before the call is copied, up to the
// end of a whole append; what a crash tore off its end is left behind. Every
// record is checked: damage is a [*CorruptError] that names the original.
func CopySegment(ctx context.Context, s SegmentFile, to string) (SegmentCopy, error) {
	return copySegmentOn(ctx, OS(), s, to)
}

func copySegmentOn(ctx context.Context, fsys FS, s SegmentFile, to string) (c SegmentCopy, err error) {
	// Opened once: if the file is replaced meanwhile, this stays the old one.
	from, err := fsys.OpenRead(s.Path)
	if err != nil {
		return c, fmt.Errorf("open segment: %w", err)
	}
	defer from.Close() // only read
	if c.First, err = readSegmentHeader(from, s.Path, s.Number); err != nil {
		return c, err
	}
	f, err := fsys.Open(to, true)
	if err != nil {
		return c, fmt.Errorf("create %s: %w", to, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := copyRecords(ctx, from, f, s, &c)
	if err != nil {
		return c, err
	}
	if err := f.Truncate(end); err != nil {
		return c, fmt.Errorf("cut %s: %w", to, err)
	}
	if err := f.Sync(); err != nil {
		return c, fmt.Errorf("sync %s: %w", to, err)
	}
	c.Bytes = end
	return c, nil
}

// copyRecords copies until what was copied makes sense, and returns where the
// last whole append ends. A copy of the segment being written may have a hole
// where the writer overtook it: a group that was not there yet when its place
// was read, with one behind it that was. Then the next copy reaches further; if
// it does not, the hole is damage.
func copyRecords(ctx context.Context, from, to File, s SegmentFile, c *SegmentCopy) (int64, error) {
	for reached := int64(-1); ; {
		size, err := copyFile(ctx, from, to)
		if err != nil {
			return 0, fmt.Errorf("copy %s: %w", s.Path, err)
		}
		c.Next = c.First
		w, err := walk(to, s.Path, c.First, size, func(_ int64, r *record) {
			if r.position == c.First {
				c.FirstID = r.id
			}
			c.Next = r.position + 1
		})
		if err != nil {
			return 0, err
		}
		if s.Sealed {
			return w.complete, w.mustBeComplete(to, s.Path, size)
		}
		_, err = tornTail(to, s.Path, size, w)
		if _, damaged := errors.AsType[*CorruptError](err); !damaged {
			return w.complete, err
		}
		switch {
		case reached < 0:
			reached = w.complete
		case reached < w.complete:
			return w.complete, nil
		default:
			return 0, err
		}
	}
}

// copyFile copies a file as long as it is now. Space that is only reserved is
// left out: it reads as zeros either way.
func copyFile(ctx context.Context, from, to File) (int64, error) {
	size, err := from.Size()
	if err != nil {
		return 0, err
	}
	if err := to.Truncate(0); err != nil {
		return 0, err
	}
	buf := make([]byte, sourceChunk)
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := readFull(from, buf[:min(int64(len(buf)), size-off)], off)
		if err != nil {
			return 0, err
		}
		if n == 0 { // it was cut meanwhile
			size = off
		}
		if !allZero(buf[:n]) {
			if _, err := to.WriteAt(buf[:n], off); err != nil {
				return 0, err
			}
		}
		off += int64(n)
	}
	return size, to.Truncate(size)
}
