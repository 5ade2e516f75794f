package documents

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"strata/domain"
)

// Section is a stretch of text that stands in one place of a document. A long
// place comes as several sections.
type Section struct {
	Headings []string // from the top: {"Handbook", "Travel", "Trains"}; sheets of a workbook are headings, too
	Page     int      // from 1; 0 where the format has no pages
	Text     string   // never empty; the heading that begins a place is its first line
}

// Row is one record.
type Row struct {
	Line   int64  // where it begins: the line of a text file, the row of a sheet; from 1
	Sheet  string // of a workbook
	Fields []Field
}

// Field is a value with its name. The value is a string, a json.Number, a
// bool, nil, or a json.RawMessage with an object or an array; in CSV and XLSX
// it is a string, "" for an empty cell.
type Field struct {
	Name  string
	Value any
}

// Fault says that one record cannot be read. The records after it can.
type Fault struct {
	Line    int64
	Field   string // "" when the record as a whole is meant
	Message string
}

// Error implements error.
func (f *Fault) Error() string {
	if f.Field == "" {
		return f.Message
	}
	return f.Field + " " + f.Message
}

// Config of an Extractor.
type Config struct {
	Limits Limits
	Temp   string // folder of temporary files; the system's when ""
	// PDFCommand is the program, with arguments, that calls [ChildMain] with
	// what is added to them. This executable with [ChildCommand] when empty.
	PDFCommand []string
}

// Extractor reads files. It is safe for concurrent use.
type Extractor struct {
	cfg Config
}

// New makes an Extractor.
func New(cfg Config) *Extractor {
	cfg.Limits = cfg.Limits.orDefault()
	return &Extractor{cfg: cfg}
}

// errStop ends a reader whose caller wants no more.
var errStop = errors.New("documents: enough")

// pushed turns a reader that pushes into a sequence. An error that is not the
// caller's own stop is the last thing the sequence yields.
func pushed[T any](read func(emit func(T, error) error) error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := read(func(v T, fault error) error {
			if !yield(v, fault) {
				return errStop
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStop) {
			var none T
			yield(none, err)
		}
	}
}

// Sections reads a document in its order. After an error nothing follows.
// Errors: PAYLOAD_TOO_LARGE naming the limit, INVALID_REQUEST for a file that
// is not of its format, is encrypted or holds pictures of text only; those of ctx.
func (x *Extractor) Sections(ctx context.Context, r io.Reader, f Format) iter.Seq2[Section, error] {
	return pushed(func(emit func(Section, error) error) error {
		w := newWriter(x.cfg.Limits, func(s Section) error { return emit(s, nil) })
		if err := x.sections(ctx, r, f, w); err != nil {
			if errors.Is(err, errStop) {
				return err
			}
			return unreadable(f, err)
		}
		return w.flush()
	})
}

func (x *Extractor) sections(ctx context.Context, r io.Reader, f Format, w *writer) error {
	switch f {
	case Text:
		return x.text(ctx, r, w)
	case Markdown:
		return x.markdown(ctx, r, w)
	case HTML:
		return x.html(ctx, r, w)
	case PDF:
		return x.pdf(ctx, r, w)
	case DOCX:
		return x.docx(ctx, r, w)
	case CSV, JSON, JSONL, XLSX:
		return x.rowsAsText(ctx, r, f, w)
	}
	return domain.Errorf(domain.CodeUnsupportedMedia, "the format %q cannot be read; these can: %s", f, known())
}

// Text reads a document as one text, its sections separated by empty lines.
// Errors: as Sections.
func (x *Extractor) Text(ctx context.Context, r io.Reader, f Format) (string, error) {
	var b strings.Builder
	for s, err := range x.Sections(ctx, r, f) {
		if err != nil {
			return "", err
		}
		if b.Len() > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(s.Text)
	}
	return b.String(), nil
}

// Rows reads the records of a table in their order. An error of type *[Fault]
// is about one record, and others follow; any other error is the last.
// Errors: as Sections, and UNSUPPORTED_MEDIA for formats without records.
func (x *Extractor) Rows(ctx context.Context, r io.Reader, f Format) iter.Seq2[Row, error] {
	return pushed(func(emit func(Row, error) error) error {
		count := 0
		err := x.rows(ctx, r, f, func(row Row, fault error) error {
			if count++; count > x.cfg.Limits.Rows {
				return exceeded("records", x.cfg.Limits.Rows)
			}
			return emit(row, fault)
		})
		if err != nil && !errors.Is(err, errStop) {
			return unreadable(f, err)
		}
		return err
	})
}

type emitRow func(Row, error) error

func (x *Extractor) rows(ctx context.Context, r io.Reader, f Format, emit emitRow) error {
	switch f {
	case CSV:
		return x.csv(ctx, r, emit)
	case JSON:
		return x.json(ctx, r, emit)
	case JSONL:
		return x.jsonl(ctx, r, emit)
	case XLSX:
		return x.xlsx(ctx, r, emit)
	}
	return domain.Errorf(domain.CodeUnsupportedMedia, "%s files hold no records; these do: csv, json, jsonl, xlsx", f)
}
