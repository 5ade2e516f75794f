package documents

import (
	"archive/zip"
	"compress/flate"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"time"

	"strata/domain"
)

// Limits bound what reading one file may take. The zero value of a field is
// the default beside it.
type Limits struct {
	Bytes    int64         // of the file, 64 MiB
	Expanded int64         // of what a compressed file unpacks to, 512 MiB
	Text     int64         // of the text that is made of it, 32 MiB
	Rows     int           // records, 1,000,000
	Record   int           // bytes of one record, 1 MiB
	Depth    int           // nesting of JSON, XML and of PDF's forms, 64
	Time     time.Duration // that a PDF may take, 1 minute
}

func (l Limits) orDefault() Limits {
	or := func(v *int64, d int64) {
		if *v == 0 {
			*v = d
		}
	}
	orInt := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	or(&l.Bytes, 64<<20)
	or(&l.Expanded, 512<<20)
	or(&l.Text, 32<<20)
	orInt(&l.Rows, 1_000_000)
	orInt(&l.Record, 1<<20)
	orInt(&l.Depth, 64)
	if l.Time == 0 {
		l.Time = time.Minute
	}
	return l
}

// exceeded says which limit a file does not keep to.
func exceeded(what string, limit any) *domain.Error {
	return domain.Errorf(domain.CodePayloadTooLarge, "the file has more than %v %s", limit, what).With("limit", limit)
}

// malformed says why a file cannot be read.
func malformed(format string, args ...any) *domain.Error {
	return domain.Errorf(domain.CodeInvalidRequest, format, args...)
}

// unreadable turns what parsers say of a file into an error for its sender.
// Errors of ours, which limits come as, and those of the reader below pass
// through.
func unreadable(f Format, err error) error {
	var (
		ours   *domain.Error
		number *json.SyntaxError
		typed  *json.UnmarshalTypeError
		table  *csv.ParseError
		tree   *xml.SyntaxError
		packed flate.CorruptInputError
	)
	switch {
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &number), errors.As(err, &typed), errors.As(err, &table), errors.As(err, &tree), errors.As(err, &packed),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, zip.ErrChecksum), errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrAlgorithm):
		return malformed("the file cannot be read as %s: %v", f, err)
	}
	return err
}

// bounded reads at most so many bytes and stops when the caller has left.
type bounded struct {
	ctx   context.Context
	r     io.Reader
	left  int64
	what  string
	limit int64
}

func bound(ctx context.Context, r io.Reader, limit int64, what string) *bounded {
	return &bounded{ctx: ctx, r: r, left: limit, what: what, limit: limit}
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	if b.left < 0 {
		return 0, exceeded(b.what, b.limit)
	}
	// One byte more than allowed tells a file that ends from one that goes on.
	n, err := b.r.Read(p[:min(int64(len(p)), b.left+1)])
	if b.left -= int64(n); b.left < 0 {
		return n + int(b.left), exceeded(b.what, b.limit)
	}
	return n, err
}

// recordReader counts what was read since the last record ended, so that a
// record without an end is not gathered in memory, and knows where lines begin.
type recordReader struct {
	r     io.Reader
	limit int64 // of one record
	slack int64 // what the parser reads ahead

	read  int64 // bytes so far
	ended int64 // where the last record ended
	line  int64 // lines begun before `ended`
	marks []int64
}

func newRecordReader(r io.Reader, limit int) *recordReader {
	return &recordReader{r: r, limit: int64(limit), slack: 64 << 10, line: 1}
}

func (r *recordReader) Read(p []byte) (int, error) {
	if r.read-r.ended > r.limit+r.slack {
		return 0, exceeded("bytes in one record", r.limit)
	}
	n, err := r.r.Read(p[:min(len(p), 32<<10)])
	for i, c := range p[:n] {
		if c == '\n' {
			r.marks = append(r.marks, r.read+int64(i))
		}
	}
	r.read += int64(n)
	return n, err
}

// lineAt returns the line, from 1, that an offset is in. Offsets only grow.
func (r *recordReader) lineAt(offset int64) int64 {
	n := 0
	for n < len(r.marks) && r.marks[n] < offset {
		n++
	}
	r.line += int64(n)
	r.marks = append(r.marks[:0], r.marks[n:]...)
	return r.line
}

// end says that a record ended at an offset.
func (r *recordReader) end(offset int64) { r.ended = offset }
