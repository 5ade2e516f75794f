package tabular

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// What a table may be. More is an error that says so, not a file that fills the
// memory.
const (
	MaxColumns  = 1000
	MaxRowBytes = 4 << 20 // of one row as text
)

// Column is one column of a table.
type Column struct {
	Name     string
	Type     Type
	Nullable bool // whether cells may be missing
}

// Schema is the columns of a table, in their order.
type Schema []Column

// Index is the place of a column, -1 when there is none of that name.
func (s Schema) Index(name string) int {
	return slices.IndexFunc(s, func(c Column) bool { return c.Name == name })
}

// Names are the names of the columns.
func (s Schema) Names() []string {
	out := make([]string, len(s))
	for i, c := range s {
		out[i] = c.Name
	}
	return out
}

// Row is the cells of one row, one per column of the schema.
type Row []Value

// Reader yields the rows of a table. It is not safe for concurrent use.
type Reader interface {
	// Schema is what is known of the columns: of Parquet files exactly, of text
	// files from their first rows. JSON lines may bring new columns while they
	// are read; they are appended.
	Schema() Schema
	// Next is the next row, io.EOF after the last. It is valid until the call
	// after. Any other error is final and names the place in the file.
	Next() (Row, error)
	// Close lets go of the file.
	Close() error
}

// Source is a file that can be read in ranges.
type Source interface {
	Name() string // its extension says what it is, unless [Options.Format] does
	Size() int64  // bytes
	// Range reads n bytes from an offset, to the end when n is negative.
	Range(ctx context.Context, offset, n int64) (io.ReadCloser, error)
}

// Format is how a table is written.
type Format string

// The formats. CSV covers other separators than the comma (semicolon, tab, bar);
// which one it is shows in the first line.
const (
	CSV     Format = "csv"
	JSONL   Format = "jsonl"
	Parquet Format = "parquet"
)

// ErrFormat is why a file is not read: nothing says how it is written.
var ErrFormat = errors.New("is not a table that can be read: known are .csv, .tsv, .jsonl, .ndjson (each also with .gz) and .parquet")

// FormatOf is the format that a file's name tells, and whether it is compressed
// with gzip. Unknown names are [ErrFormat].
func FormatOf(name string) (f Format, gzipped bool, err error) {
	name = strings.ToLower(name)
	if rest, ok := strings.CutSuffix(name, ".gz"); ok {
		name, gzipped = rest, true
	}
	switch path.Ext(name) {
	case ".csv", ".tsv":
		return CSV, gzipped, nil
	case ".jsonl", ".ndjson":
		return JSONL, gzipped, nil
	case ".parquet":
		if !gzipped {
			return Parquet, false, nil
		}
	}
	return "", false, ErrFormat
}

// Options of [Open].
type Options struct {
	Format Format // instead of what the name tells
	Sample int    // rows of a text file that the schema is taken from; 0 means 1000
}

// Open begins to read a table. Faults of the file (no header, broken text) are
// plain errors that say what is wrong; the context bounds all reading.
func Open(ctx context.Context, src Source, o Options) (Reader, error) {
	format, gzipped, err := FormatOf(src.Name())
	if o.Format != "" {
		format, err = o.Format, nil
	}
	if err != nil {
		return nil, err
	}
	if o.Sample <= 0 {
		o.Sample = 1000
	}
	if format == Parquet {
		return openParquet(ctx, src)
	}
	body, err := src.Range(ctx, 0, -1)
	if err != nil {
		return nil, err
	}
	text, err := newText(body, gzipped)
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	var rows rowSource
	switch format {
	case CSV:
		rows, err = newCSV(text)
	case JSONL:
		rows = newJSONL(text)
	default:
		err = fmt.Errorf("format %q: %w", format, ErrFormat)
	}
	if err != nil {
		return nil, errors.Join(err, body.Close())
	}
	return sampled(rows, body, o.Sample)
}

// rowSource reads rows whose columns it learns on the way.
type rowSource interface {
	columns() []string // may grow with next
	next() (Row, error)
}

// sampleReader is a Reader that has looked ahead.
type sampleReader struct {
	rows   rowSource
	body   io.Closer
	schema Schema
	ahead  []Row
	failed error // met while looking ahead; reported after those rows
}

// sampled reads the first rows and learns the schema from them.
func sampled(rows rowSource, body io.Closer, n int) (*sampleReader, error) {
	r := &sampleReader{rows: rows, body: body}
	for size := 0; len(r.ahead) < n && size < MaxRowBytes; {
		row, err := rows.next()
		if err != nil {
			r.failed = err
			break
		}
		row = slices.Clone(row)
		for _, v := range row {
			size += len(v.text) + 64
		}
		r.ahead = append(r.ahead, row)
	}
	r.grow()
	if len(r.ahead) == 0 && r.failed != nil && !errors.Is(r.failed, io.EOF) {
		return nil, errors.Join(r.failed, body.Close())
	}
	for _, row := range r.ahead {
		for i := range r.schema {
			c, v := &r.schema[i], Value{}
			if i < len(row) {
				v = row[i]
			}
			c.Type = Join(c.Type, v.kind)
			c.Nullable = c.Nullable || v.kind == Missing
		}
	}
	return r, nil
}

// grow takes over columns that were met since. Rows before had no such cell.
func (r *sampleReader) grow() {
	for _, name := range r.rows.columns()[len(r.schema):] {
		r.schema = append(r.schema, Column{Name: name})
	}
}

// Schema implements Reader.
func (r *sampleReader) Schema() Schema { return r.schema }

// Next implements Reader.
func (r *sampleReader) Next() (Row, error) {
	if len(r.ahead) > 0 {
		row := r.ahead[0]
		r.ahead = r.ahead[1:]
		for len(row) < len(r.schema) {
			row = append(row, Value{})
		}
		return row, nil
	}
	if r.failed != nil {
		return nil, r.failed
	}
	row, err := r.rows.next()
	if err != nil {
		r.failed = err
		return nil, err
	}
	for known := len(r.schema); known < len(row); known++ {
		r.grow()
		r.schema[known] = Column{Name: r.schema[known].Name, Type: row[known].kind, Nullable: true}
	}
	return row, nil
}

// Close implements Reader.
func (r *sampleReader) Close() error { return r.body.Close() }

// text is a stream of text, without its byte order mark, that fails when one
// row of it is longer than rows may be: an unclosed quote must not take the rest
// of a large file into memory.
type text struct {
	from  *bufio.Reader
	taken int64 // since the last row
}

func newText(body io.Reader, gzipped bool) (*text, error) {
	if gzipped {
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, fmt.Errorf("the file is not compressed with gzip: %w", err)
		}
		body = z
	}
	from := bufio.NewReaderSize(body, 64<<10)
	if mark, err := from.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		if _, err := from.Discard(3); err != nil {
			return nil, err
		}
	}
	return &text{from: from}, nil
}

// Read implements io.Reader.
func (t *text) Read(p []byte) (int, error) {
	if t.taken > MaxRowBytes {
		return 0, fmt.Errorf("a row is longer than %d bytes", MaxRowBytes)
	}
	n, err := t.from.Read(p)
	t.taken += int64(n)
	return n, err
}

// row says that a row begins.
func (t *text) row() { t.taken = 0 }
