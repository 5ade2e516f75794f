package documents_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"strata/domain"
	"strata/internal/documents"
	"strata/internal/documents/documentstest"
)

// fuzzed limits are small, so that exceeding them is among what is tried.
func fuzzed() *documents.Extractor {
	return documents.New(documents.Config{Limits: documents.Limits{Bytes: 1 << 20, Expanded: 1 << 20, Text: 100_000, Rows: 1000, Record: 10_000}})
}

// read reads a file in every way its format allows. What a stranger sent is
// either read or refused with a reason; it is never a fault of ours.
func read(t *testing.T, x *documents.Extractor, f documents.Format, data []byte) {
	total := 0
	for s, err := range x.Sections(t.Context(), bytes.NewReader(data), f) {
		if err != nil {
			blamed(t, err)
			break
		}
		if total += len(s.Text); strings.TrimSpace(s.Text) == "" || total > 100_000 {
			t.Fatalf("a section of %d bytes, %d in all", len(s.Text), total)
		}
	}
	if !f.Tabular() {
		return
	}
	count, line := 0, int64(0)
	for row, err := range x.Rows(t.Context(), bytes.NewReader(data), f) {
		if fault, ok := errors.AsType[*documents.Fault](err); ok {
			if fault.Message == "" || fault.Line < 1 {
				t.Fatalf("fault %+v", fault)
			}
		} else if err != nil {
			blamed(t, err)
			break
		} else if f != documents.XLSX && row.Line < line || row.Line < 1 {
			t.Fatalf("line %d after %d", row.Line, line)
		}
		line = row.Line
		if count++; count > 1000 {
			t.Fatal("more rows than allowed")
		}
	}
}

func blamed(t *testing.T, err error) {
	t.Helper()
	if code := domain.CodeOf(err); code != domain.CodeInvalidRequest && code != domain.CodePayloadTooLarge {
		t.Fatalf("%s: %v", code, err)
	}
}

func FuzzMarkup(f *testing.F) {
	f.Add("# a\n```\nb\n```\nc\n---\n\f")
	f.Add("<p>a<h1>b</h2><pre>x</pre><table><tr><td>1<td>2</table><nav><script>")
	f.Fuzz(func(t *testing.T, data string) {
		for _, format := range []documents.Format{documents.Text, documents.Markdown, documents.HTML} {
			read(t, fuzzed(), format, []byte(data))
		}
	})
}

func FuzzTables(f *testing.F) {
	f.Add("a;b\n1;\"2\n3\"\n\"x\"y\n")
	f.Add("[{\"a\":1,\"b\":[{}]}, 7]")
	f.Add("{\"a\":1}\n\n{broken\n")
	f.Fuzz(func(t *testing.T, data string) {
		for _, format := range []documents.Format{documents.CSV, documents.JSON, documents.JSONL} {
			read(t, fuzzed(), format, []byte(data))
		}
	})
}

// FuzzOffice varies what is inside of the archives; random archives rarely open.
func FuzzOffice(f *testing.F) {
	f.Add(documentstest.Paragraph("Heading1", "x")+"<w:tbl><w:tr><w:tc>", `<sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row><row r="3"><c r="A3" s="1"><v>4.5</v></c></row></sheetData>`, `<si><t>name</t></si>`)
	f.Fuzz(func(t *testing.T, body, sheet, shared string) {
		read(t, fuzzed(), documents.DOCX, []byte(documentstest.DOCX(t, body)))
		read(t, fuzzed(), documents.XLSX, []byte(documentstest.Zip(t,
			"xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="S" r:id="r1"/></sheets></workbook>`,
			"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>`,
			"xl/styles.xml", `<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`,
			"xl/sharedStrings.xml", "<sst>"+shared+"</sst>", "xl/worksheets/sheet1.xml", "<worksheet>"+sheet+"</worksheet>")))
	})
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte(documentstest.DOCX(f, documentstest.Paragraph("", "x"))))
	f.Fuzz(func(t *testing.T, data []byte) {
		read(t, fuzzed(), documents.DOCX, data)
		read(t, fuzzed(), documents.XLSX, data)
	})
}

// FuzzPDF lets the child process read what it is given: it may die, but only
// it, and the caller gets a reason.
func FuzzPDF(f *testing.F) {
	printed, err := os.ReadFile("testdata/printed.pdf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(printed)
	f.Add([]byte(documentstest.Pages("", "BT /F1 12 Tf [(a) -300 (b)] TJ T* (c) Tj ET")))
	f.Fuzz(func(t *testing.T, data []byte) { read(t, fuzzed(), documents.PDF, data) })
}
