package tabular_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/internal/tabular"
)

// file is a source in memory.
type file struct {
	name string
	data []byte
}

func (f file) Name() string { return f.name }
func (f file) Size() int64  { return int64(len(f.data)) }

func (f file) Range(_ context.Context, offset, n int64) (io.ReadCloser, error) {
	part := f.data[offset:]
	if n >= 0 {
		part = part[:n]
	}
	return io.NopCloser(bytes.NewReader(part)), nil
}

func open(t testing.TB, name, text string) tabular.Reader {
	t.Helper()
	r, err := tabular.Open(t.Context(), file{name, []byte(text)}, tabular.Options{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// all reads every row, each cell as JSON.
func all(t testing.TB, r tabular.Reader) []string {
	t.Helper()
	var out []string
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(b))
	}
}

func schemaText(s tabular.Schema) string {
	var out []string
	for _, c := range s {
		text := c.Name + " " + c.Type.String()
		if c.Nullable {
			text += "?"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"1": "integer 1", " -7 ": "integer -7", "+3": "integer 3", "0": "integer 0", "9223372036854775807": "integer 9223372036854775807",
		"9223372036854775808": "number 9223372036854776000", "1.50": "number 1.5", ".5": "number 0.5", "1e3": "number 1000", "0.1": "number 0.1",
		"true": "boolean true", "FALSE": "boolean false", "yes": `string "yes"`,
		"007": `string "007"`, "-01": `string "-01"`, "1_000": `string "1_000"`, "0x10": `string "0x10"`, "Infinity": `string "Infinity"`,
		"1e999": `string "1e999"`, "--1": `string "--1"`, "-": `string "-"`, "1.2.3": `string "1.2.3"`, "e5": `string "e5"`,
		"2024-02-29": `datetime "2024-02-29T00:00:00Z"`, "2023-02-29": `string "2023-02-29"`,
		"2024-01-02T03:04:05+01:00": `datetime "2024-01-02T02:04:05Z"`, "2024-01-02 03:04:05.5": `datetime "2024-01-02T03:04:05.5Z"`,
		"": "null null", "  ": "null null", "NA": "null null", "nan": "null null", "NULL": "null null", "None": `string "None"`,
	} {
		v := tabular.Parse(in)
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Type().String() + " " + string(b); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}

func TestJoinDoesNotDependOnOrder(t *testing.T) {
	types := []tabular.Type{tabular.Missing, tabular.Integer, tabular.Number, tabular.Boolean, tabular.DateTime, tabular.String}
	for _, a := range types {
		for _, b := range types {
			if tabular.Join(a, b) != tabular.Join(b, a) {
				t.Errorf("%v and %v", a, b)
			}
			for _, c := range types {
				if tabular.Join(tabular.Join(a, b), c) != tabular.Join(a, tabular.Join(b, c)) {
					t.Errorf("%v, %v and %v", a, b, c)
				}
			}
		}
	}
	if tabular.Join(tabular.Integer, tabular.Number) != tabular.Number || tabular.Join(tabular.Boolean, tabular.Integer) != tabular.String {
		t.Error("numbers hold integers; nothing but text holds booleans and integers")
	}
}

func TestCSV(t *testing.T) {
	r := open(t, "churn.CSV", "\xef\xbb\xbfid,age,spend,joined,active,zip,note\n1,30,1.5,2024-01-02,true,01234,\"a, \"\"b\"\"\nc\"\n2,,2,2024-01-03,false,09999,NA\n")
	if got, want := schemaText(r.Schema()), "id integer, age integer?, spend number, joined datetime, active boolean, zip string, note string?"; got != want {
		t.Errorf("schema %s, want %s", got, want)
	}
	want := []string{
		`[1,30,1.5,"2024-01-02T00:00:00Z",true,"01234","a, \"b\"\nc"]`,
		`[2,null,2,"2024-01-03T00:00:00Z",false,"09999",null]`,
	}
	if got := all(t, r); !slices.Equal(got, want) {
		t.Errorf("rows %s", got)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
}

func TestCSVSeparatorsAndNames(t *testing.T) {
	for text, want := range map[string]string{
		"a;b\n1;2\n":            "a integer, b integer",
		"a\tb\n1\tx\n":          "a integer, b string",
		"a|b|c\n1|2|3\n":        "a integer, b integer, c integer",
		"\"x,y,z\";b\n1;2\n":    "x,y,z integer, b integer",
		"a,,a,a_2\n1,2,3,4\n":   "a integer, column_2 integer, a_3 integer, a_2 integer",
		"only\n":                "only null",
		"a,b\r\n1,2\r\n\r\n":    "a integer, b integer",
		" a , b \n 1 , text \n": "a integer, b string",
	} {
		if got := schemaText(open(t, "x.csv", text).Schema()); got != want {
			t.Errorf("%q has %s, want %s", text, got, want)
		}
	}
}

// A column is not what its beginning promises: the profile knows, the reader
// yields what is there.
func TestLateChangeOfType(t *testing.T) {
	text := "n\n" + strings.Repeat("1\n", 3) + "x\n"
	r, err := tabular.Open(t.Context(), file{"x.csv", []byte(text)}, tabular.Options{Sample: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := schemaText(r.Schema()); got != "n integer" {
		t.Errorf("sampled %s", got)
	}
	p, truncated, err := tabular.Describe(t.Context(), r, 0)
	if err != nil || truncated || p.Rows != 4 || p.Columns[0].Type != tabular.String || p.Columns[0].Mean != nil {
		t.Errorf("%+v, %v, %v", p, truncated, err)
	}
}

func TestJSONL(t *testing.T) {
	r, err := tabular.Open(t.Context(), file{"x.jsonl", []byte(`{"b":1,"a":"x","zip":"12"}

{"a":null,"b":2.5,"nested":{"k":[1]},"at":"2024-01-02T03:04:05Z"}
{"b":1e2,"late":true}
`)}, tabular.Options{Sample: 2})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := schemaText(r.Schema()), "b number, a string?, zip string?, nested string?, at datetime?"; got != want {
		t.Errorf("schema %s, want %s", got, want)
	}
	want := []string{`[1,"x","12",null,null]`, `[2.5,null,null,"{\"k\":[1]}","2024-01-02T03:04:05Z"]`, `[100,null,null,null,null,true]`}
	if got := all(t, r); !slices.Equal(got, want) {
		t.Errorf("rows %s", got)
	}
	if got := schemaText(r.Schema()[5:]); got != "late boolean?" {
		t.Errorf("the new column is %s", got)
	}
}

func TestCompressed(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, "a\n5\n"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if got := all(t, open(t, "x.csv.gz", b.String())); !slices.Equal(got, []string{"[5]"}) {
		t.Errorf("rows %s", got)
	}
}

// Every fault says where it is, and none is taken for the end.
func TestFaults(t *testing.T) {
	long := strings.Repeat("x", tabular.MaxRowBytes+100<<10)
	wide := strings.Repeat("a,", tabular.MaxColumns) + "a\n"
	for _, c := range []struct{ name, text, says string }{
		{"x.pdf", "a\n", "is not a table"},
		{"x.csv", "", "must name the columns"},
		{"x.csv", "a,b\n1\n", "line 2: the row has another number of cells"},
		{"x.csv", "a\n\"open\n", "line "},
		{"x.csv", "a\n\xff\n", `line 2: column "a" is not text in UTF-8`},
		{"x.csv", "a\n\"" + long, "longer than"},
		{"x.csv", wide, "columns, more than"},
		{"x.jsonl", "{\"a\":1}\n[1]\n", "line 2: is not a JSON object"},
		{"x.jsonl", "{\"a\":1}{\"a\":2}\n", "line 1: holds more than one"},
		{"x.jsonl", "{\"a\":1e999}\n", "line 1: the number 1e999 is too large"},
		{"x.jsonl", "{\"a\":\n", "line 1: is not a JSON object"},
		{"x.jsonl", "{\"a\":\"" + long + "\"}", "longer than"},
		{"x.csv.gz", "a\n1\n", "not compressed"},
		{"x.parquet", "PAR1PAR1", "too short"},
		{"x.parquet", "PAR1xxxxxxxxxxxx", "not a Parquet file"},
		{"x.parquet", "PAR1xxxxxxxx\xff\xff\xff\xffPAR1", "says it describes itself in 4294967295 bytes"},
		{"x.parquet", "PAR1xxxxxxxx\x08\x00\x00\x00PAR1", "Parquet file"},
	} {
		r, err := tabular.Open(t.Context(), file{c.name, []byte(c.text)}, tabular.Options{})
		for err == nil {
			_, err = r.Next()
		}
		if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %.30q: %v, want %q", c.name, c.text, err, c.says)
		}
	}
}

func TestSample(t *testing.T) {
	rows, err := tabular.Sample(open(t, "x.csv", "a,b\n1,x\n2.5,\n3,7\n"), 2)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(rows)
	if err != nil || string(b) != `[[1,"x"],[2.5,null]]` {
		t.Errorf("%s %v", b, err)
	}
	if rows[0][0].Type() != tabular.Number {
		t.Error("a cell of a number column is a number")
	}
}

// Whatever text is written as CSV is read again, cell by cell.
func TestCSVRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 4).Draw(t, "columns")
		cell := rapid.OneOf(rapid.StringMatching(`[a-z,;|"\n ]{0,8}x`), rapid.SampledFrom([]string{"1", "-2.5", "true", "", "2024-05-06"}))
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, width, width), 0, 30).Draw(t, "rows")
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		head := make([]string, width)
		for i := range head {
			head[i] = fmt.Sprintf("c%d", i)
		}
		if err := w.WriteAll(append([][]string{head}, rows...)); err != nil {
			t.Fatal(err)
		}
		r, err := tabular.Open(context.Background(), file{"x.csv", b.Bytes()}, tabular.Options{Sample: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range rows {
			if width == 1 && want[0] == "" {
				continue // an empty line is no row
			}
			row, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range row {
				if got := v.Text(); got != want[i] {
					t.Fatalf("cell %q was read as %q", want[i], got)
				}
			}
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last row: %v", err)
		}
	})
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := tabular.Describe(ctx, open(t, "x.csv", "a\n1\n"), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestValues(t *testing.T) {
	day := time.Date(2024, 1, 2, 0, 0, 0, 0, time.UTC)
	if x, ok := tabular.DateTimeOf(day).Float(); !ok || x != float64(day.Unix()) {
		t.Errorf("a day is %v seconds", x)
	}
	if x, ok := tabular.BooleanOf(true).Float(); !ok || x != 1 {
		t.Errorf("true is %v", x)
	}
	if got := tabular.NumberOf(math.Copysign(0, -1)).Text(); got != "0" {
		t.Errorf("the other zero is written %q", got)
	}
	if _, ok := tabular.StringOf("5").Float(); ok {
		t.Error("a text is no number")
	}
	if !tabular.NumberOf(math.Inf(1)).IsMissing() || !tabular.NumberOf(math.NaN()).IsMissing() {
		t.Error("what is not finite is missing")
	}
	if v := tabular.StringOf("x").As(tabular.Number); !v.IsMissing() {
		t.Error("a text is missing in a number column")
	}
	if v := tabular.Parse("1.50").As(tabular.String); v.Text() != "1.50" {
		t.Errorf("as text it is %q", v.Text())
	}
}
