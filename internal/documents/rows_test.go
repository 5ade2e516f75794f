package documents_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"strata/domain"
	"strata/internal/documents"
)

func TestCSVRows(t *testing.T) {
	got, err := rows(t, documents.Config{}, documents.CSV,
		"\xef\xbb\xbfname;notes;\n\"Ada; L\";\"two\nlines\"\n\nBob;x;y;z\nEve\n\"bad\"quote\";1\nZoe;last;c\n")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []string{
		"2: name=Ada; L,notes=two\nlines", "5! has 4 values for 3 columns", "6: name=Eve",
		"7! is not valid CSV: extraneous or missing \" in quoted-field", "8: name=Zoe,notes=last,column_3=c",
	})
	for _, delimiter := range []string{",", "\t", "|"} {
		got, err := rows(t, documents.Config{}, documents.CSV, strings.ReplaceAll("a~b\n1~2\n", "~", delimiter))
		if err != nil || len(got) != 1 || got[0] != "2: a=1,b=2" {
			t.Errorf("delimiter %q: %q %v", delimiter, got, err)
		}
	}
	_, err = rows(t, documents.Config{}, documents.CSV, "a,b,a\n1,2,3\n")
	refused(t, err, domain.CodeInvalidRequest, `columns 1 and 3 are both named "a"`)
	if got, err := rows(t, documents.Config{}, documents.CSV, ""); len(got) != 0 || err != nil {
		t.Errorf("an empty file: %q %v", got, err)
	}
}

func TestJSONRows(t *testing.T) {
	got, err := rows(t, documents.Config{}, documents.JSON, "[\n {\"name\":\"Ada\",\"n\":1.50,\"ok\":true,\"x\":null,\n  \"data\":{\"a\":[1]}},\n 7,\n\n {\"name\":\"Bob\"}]\n")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []string{`2: name=Ada,n=1.50,ok=true,x=<nil>,data={"a":[1]}`, "4! is not an object", "6: name=Bob"})
	if got, err := rows(t, documents.Config{}, documents.JSON, ` {"name":"One"} `); err != nil || len(got) != 1 {
		t.Errorf("one object: %q %v", got, err)
	}
	for text, says := range map[string]string{
		`"x"`: "array of objects", `[{"a":1}`: "cannot be read as json", `[{"a":1}] x`: "goes on after its end", `{"a":1}{"b":2}`: "goes on after its end",
	} {
		_, err := rows(t, documents.Config{}, documents.JSON, text)
		refused(t, err, domain.CodeInvalidRequest, says)
	}
}

func TestJSONLRows(t *testing.T) {
	long := strings.Repeat("y", 200_000) // longer than any buffer
	got, err := rows(t, documents.Config{}, documents.JSONL, "{\"a\":1}\r\n\n{broken\n[1]\n{\"b\":\""+long+"\"}\n{\"c\":\"last\"}")
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []string{"1: a=1", "3! is not valid JSON", "4! is not an object", "5: b=" + long, "6: c=last"})
}

func TestRecordLimits(t *testing.T) {
	c := documents.Config{Limits: documents.Limits{Record: 1000, Rows: 3, Depth: 5}}
	endless := `"` + strings.Repeat("x ", 200_000)
	for f, text := range map[documents.Format]string{
		documents.CSV: "a,b\n" + endless, documents.JSON: `[{"a":` + endless, documents.JSONL: strings.Repeat("x", 3000),
	} {
		_, err := rows(t, c, f, text)
		refused(t, err, domain.CodePayloadTooLarge, "1000 bytes in one record")
	}
	got, err := rows(t, c, documents.CSV, "a\n1\n2\n3\n4\n")
	refused(t, err, domain.CodePayloadTooLarge, "3 records")
	if len(got) != 3 {
		t.Errorf("rows before the limit: %q", got)
	}
	got, err = rows(t, c, documents.JSONL, `{"a":`+strings.Repeat("[", 5)+strings.Repeat("]", 5)+"}\n{\"a\":\"[[[[[[[\\\"[[\"}")
	if err != nil || len(got) != 2 || got[0] != "1! nests deeper than 5" || !strings.HasPrefix(got[1], "2: a=") {
		t.Errorf("deep: %q %v", got, err)
	}
	_, err = rows(t, c, documents.PDF, "")
	refused(t, err, domain.CodeUnsupportedMedia, "hold no records")
}

// repeated is a file of a first part and as many rows as asked, made while it is read.
type repeated struct {
	next string
	row  func(n int) string
	n    int
	max  int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.next == "" {
		if r.n++; r.n > r.max {
			return 0, io.EOF
		}
		r.next = r.row(r.n)
	}
	n := copy(p, r.next)
	r.next = r.next[n:]
	return n, nil
}

func TestRowsStream(t *testing.T) {
	// The reader is not asked for more than a little beyond the rows taken.
	source := &repeated{next: "name,birthdate\n", max: 1_000_000, row: func(n int) string { return fmt.Sprintf("Person %d,1990-01-01\n", n) }}
	taken := 0
	for _, err := range documents.New(documents.Config{}).Rows(t.Context(), source, documents.CSV) {
		if err != nil {
			t.Fatal(err)
		}
		if taken++; taken == 100 {
			break
		}
	}
	if source.n > 20_000 {
		t.Errorf("%d rows were read to take 100", source.n)
	}
}

func workbook(t *testing.T, fill func(f *excelize.File) error) string {
	t.Helper()
	f := excelize.NewFile()
	if err := fill(f); err != nil {
		t.Fatal(err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestXLSXRows(t *testing.T) {
	data := workbook(t, func(f *excelize.File) error {
		date, err := f.NewStyle(&excelize.Style{CustomNumFmt: new(`[Red]dd"day"/mm/yyyy`)})
		if err != nil {
			return err
		}
		plain, err := f.NewStyle(&excelize.Style{CustomNumFmt: new(`0.0" days"`)})
		if err != nil {
			return err
		}
		for cell, v := range map[string]any{
			"A2": "name", "B2": "birthdate", "C2": "score", "D2": "member", "E2": "at",
			"A3": "Ada", "B3": time.Date(1915, 12, 10, 0, 0, 0, 0, time.UTC), "C3": 2.5, "D3": true, "E3": time.Date(2024, 2, 29, 13, 30, 15, 0, time.UTC),
			"A5": "Bob", "C5": 3, "F5": "beyond", "A6": "Zoe & <Co>",
		} {
			if err := f.SetCellValue("Sheet1", cell, v); err != nil {
				return err
			}
		}
		if err := f.SetCellStyle("Sheet1", "B3", "B3", date); err != nil {
			return err
		}
		if err := f.SetCellStyle("Sheet1", "C3", "C3", plain); err != nil {
			return err
		}
		for _, name := range []string{"More", "Secret"} {
			if _, err := f.NewSheet(name); err != nil {
				return err
			}
			if err := f.SetSheetRow(name, "A1", &[]any{"k"}); err != nil {
				return err
			}
			if err := f.SetSheetRow(name, "A2", &[]any{name + " value"}); err != nil {
				return err
			}
		}
		return f.SetSheetVisible("Secret", false)
	})
	got, err := rows(t, documents.Config{}, documents.XLSX, data)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []string{
		"Sheet13: name=Ada,birthdate=1915-12-10,score=2.5,member=true,at=2024-02-29T13:30:15",
		"5! has a value in column 6, which has no name", "Sheet16: name=Zoe & <Co>", "More2: k=More value",
	})
	text, err := documents.New(documents.Config{}).Text(t.Context(), strings.NewReader(data), documents.XLSX)
	refused(t, err, domain.CodeInvalidRequest, "line 5")
	if text != "" {
		t.Errorf("text of a faulty sheet: %q", text)
	}
}

func TestRowsAsTextNameTheirValues(t *testing.T) {
	got, err := sections(t, documents.Config{}, documents.JSON, `[{"name":"Ada","data":{"tags":["a","b"],"n":{"x":1}}},{"name":"Bob","none":null}]`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, outline(got), []string{"0||name: Ada\ndata.tags[0]: a\ndata.tags[1]: b\ndata.n.x: 1\n\nname: Bob"})
}

func TestValuesKeepTheirTypes(t *testing.T) {
	for row, err := range documents.New(documents.Config{}).Rows(t.Context(), strings.NewReader(`{"n":12345678901234567890,"s":"1","o":{"a":1}}`), documents.JSON) {
		if err != nil {
			t.Fatal(err)
		}
		if n, ok := row.Fields[0].Value.(json.Number); !ok || n != "12345678901234567890" {
			t.Errorf("number %#v", row.Fields[0].Value)
		}
		if s, ok := row.Fields[1].Value.(string); !ok || s != "1" {
			t.Errorf("string %#v", row.Fields[1].Value)
		}
		if o, ok := row.Fields[2].Value.(json.RawMessage); !ok || string(o) != `{"a":1}` {
			t.Errorf("object %#v", row.Fields[2].Value)
		}
	}
}
