package documents_test

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"strata/domain"
	"strata/internal/documents"
)

// TestMain lets the test binary stand in for strata, whose child reads PDF files.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == documents.ChildCommand {
		os.Exit(documents.ChildMain(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// stream hides that a reader can do more than read.
type stream struct{ io.Reader }

func sections(t *testing.T, c documents.Config, f documents.Format, data string) ([]documents.Section, error) {
	t.Helper()
	var out []documents.Section
	for s, err := range documents.New(c).Sections(t.Context(), stream{strings.NewReader(data)}, f) {
		if err != nil {
			return out, err
		}
		out = append(out, s)
	}
	return out, nil
}

// outline writes sections as "page|headings|text".
func outline(all []documents.Section) []string {
	var out []string
	for _, s := range all {
		out = append(out, fmt.Sprintf("%d|%s|%s", s.Page, strings.Join(s.Headings, ">"), s.Text))
	}
	return out
}

// rows writes records as "line: name=value,…", and faults as "line! message".
func rows(t *testing.T, c documents.Config, f documents.Format, data string) ([]string, error) {
	t.Helper()
	var out []string
	for row, err := range documents.New(c).Rows(t.Context(), stream{strings.NewReader(data)}, f) {
		if fault, ok := errors.AsType[*documents.Fault](err); ok {
			out = append(out, fmt.Sprintf("%d! %s", fault.Line, fault.Error()))
			continue
		}
		if err != nil {
			return out, err
		}
		var fields []string
		for _, field := range row.Fields {
			value := field.Value
			if raw, ok := value.(json.RawMessage); ok {
				value = string(raw)
			}
			fields = append(fields, fmt.Sprintf("%s=%v", field.Name, value))
		}
		out = append(out, fmt.Sprintf("%s%d: %s", row.Sheet, row.Line, strings.Join(fields, ",")))
	}
	return out, nil
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if a, b := strings.Join(got, "\n--\n"), strings.Join(want, "\n--\n"); a != b {
		t.Errorf("got\n%s\nwant\n%s", a, b)
	}
}

// refused checks the code of an error and that it names what is wrong.
func refused(t *testing.T, err error, code domain.Code, says string) {
	t.Helper()
	if err == nil || domain.CodeOf(err) != code || !strings.Contains(err.Error(), says) {
		t.Errorf("error %v, want %s saying %q", err, code, says)
	}
}

// zipped makes an archive of names and contents, in that order.
func zipped(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = io.WriteString(w, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// pdfOf writes a PDF of objects, numbered from 1, the first of which is the
// catalogue. extra goes into the trailer.
func pdfOf(extra string, objects ...string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	var offsets []int
	for i, o := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, extra, at)
	return b.String()
}

// streamOf is a compressed stream object.
func streamOf(dict, content string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, err := io.WriteString(z, content)
	if err = errors.Join(err, z.Close()); err != nil { // into memory
		panic(err)
	}
	return fmt.Sprintf("<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", dict, b.Len(), b.String())
}

// pagesOf is a PDF with a page for each content stream, in Helvetica.
func pagesOf(extra string, contents ...string) string {
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"}
	var kids []string
	for _, content := range contents {
		page := len(objects) + 1
		kids = append(kids, fmt.Sprintf("%d 0 R", page))
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>", page+1),
			streamOf("", content))
	}
	objects[1] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(kids), strings.Join(kids, " "))
	return pdfOf(extra, objects...)
}
