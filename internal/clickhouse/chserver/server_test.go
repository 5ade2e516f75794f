package chserver

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

func TestParseRequest(t *testing.T) {
	for _, c := range []struct {
		name, query, body string
		want              request
		fault             string
	}{
		{name: "statement", body: "SELECT 1", want: request{sql: "SELECT 1"}},
		{name: "insert", query: "query=INSERT+INTO+t+(a)+FORMAT+Native", body: "rows", want: request{sql: "INSERT INTO t (a)", insert: true, rows: []byte("rows")}},
		{name: "insert in lower case", query: "query=insert+into+t+format+native+", want: request{sql: "insert into t", insert: true}},
		{name: "revision and database", query: "client_protocol_version=54460&database=d", body: "x", want: request{sql: "x", revision: 54460, database: "d"}},
		{name: "bad revision", query: "client_protocol_version=new", fault: "client_protocol_version"},
		{name: "compressed answer", query: "compress=1", body: "x", want: request{sql: "x", compress: true}},
		{name: "compressed body that is none", query: "decompress=1", body: "x", fault: "read request"},
		{name: "no compression", query: "compress=0&decompress=0", body: "x", want: request{sql: "x"}},
		{name: "setting with an odd name", query: url.Values{"max_threads = 1, x": {"1"}}.Encode(), fault: "not the name of a setting"},
	} {
		r := httptest.NewRequest("POST", "/?"+c.query, strings.NewReader(c.body))
		got, err := parseRequest(r)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%s: %v, want %q", c.name, err, c.fault)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got.sql != c.want.sql || got.insert != c.want.insert || !bytes.Equal(got.rows, c.want.rows) ||
			got.revision != c.want.revision || got.compress != c.want.compress || got.database != c.want.database {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestParseRequestTakesParametersAndSettings(t *testing.T) {
	q, err := parseRequest(httptest.NewRequest("POST", "/?param_a=1&max_threads=2&default_format=Native&query_id=x", strings.NewReader("SELECT {a:Int8}")))
	if err != nil {
		t.Fatal(err)
	}
	if len(q.params) != 1 || q.params[0].Name != "a" || q.params[0].Value != "1" || len(q.settings) != 1 || q.settings["max_threads"] != "2" {
		t.Errorf("got %+v", q)
	}
}

func TestQuoting(t *testing.T) {
	if got := quoteText(`a'b\c`); got != `'a\'b\\c'` {
		t.Errorf("got %s", got)
	}
	if got := quoteIdent("a`b"); got != "`a\\`b`" {
		t.Errorf("got %s", got)
	}
}

// nativeBlock is a block of revision 0 as the engine writes it.
func nativeBlock(t testing.TB, rows int) []byte {
	t.Helper()
	block := proto.NewBlock()
	for name, typ := range map[string]column.Type{"n": "UInt64", "s": "LowCardinality(String)", "l": "Array(String)"} {
		if err := block.AddColumn(name, typ); err != nil {
			t.Fatal(err)
		}
	}
	for i := range rows {
		values := make([]any, 0, 3)
		for _, name := range block.ColumnsNames() {
			values = append(values, map[string]any{"n": uint64(i), "s": "text", "l": []string{"a", "b"}}[name])
		}
		if err := block.Append(values...); err != nil {
			t.Fatal(err)
		}
	}
	var out chproto.Buffer
	if err := block.Encode(&out, 0); err != nil {
		t.Fatal(err)
	}
	return out.Buf
}

// rowsOf decodes blocks the way the driver does.
func rowsOf(native []byte, revision uint64) (blocks, rows int, err error) {
	reader := chproto.NewReader(bytes.NewReader(native))
	for {
		block := proto.NewBlock()
		if err := block.Decode(reader, revision); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return blocks, rows, err
		}
		blocks, rows = blocks+1, rows+block.Rows()
	}
}

func TestTranscodeKeepsBlocks(t *testing.T) {
	const revision = 54460
	native := append(nativeBlock(t, 3), nativeBlock(t, 2)...)
	out, err := transcode(native, revision)
	if err != nil {
		t.Fatal(err)
	}
	if blocks, rows, err := rowsOf(out, revision); blocks != 2 || rows != 5 || err != nil {
		t.Errorf("%d blocks, %d rows, %v", blocks, rows, err)
	}
	if out, err := transcode(native, 0); err != nil || !bytes.Equal(out, native) {
		t.Errorf("revision 0 is not left as it is: %v", err)
	}
	if out, err := transcode(nil, revision); err != nil || len(out) != 0 {
		t.Errorf("nothing became %v, %v", out, err)
	}
	if _, err := transcode(native[:len(native)-3], revision); err == nil {
		t.Error("a cut result was accepted")
	}
}

// What pack writes is what the driver's reader takes and parseRequest accepts.
func TestPackedBodies(t *testing.T) {
	plain := bytes.Repeat([]byte("rows of one kind "), compressedFrame/8) // more than a frame
	packed, err := pack(plain)
	if err != nil || len(packed) >= len(plain) {
		t.Fatalf("%d bytes became %d, %v", len(plain), len(packed), err)
	}
	q, err := parseRequest(httptest.NewRequest("POST", "/?decompress=1&query=INSERT+INTO+t", bytes.NewReader(packed)))
	if err != nil || !bytes.Equal(q.rows, plain) {
		t.Errorf("the rows did not survive: %v", err)
	}
	if _, err := parseRequest(httptest.NewRequest("POST", "/?decompress=1&query=INSERT+INTO+t", bytes.NewReader(packed[:len(packed)-1]))); err == nil {
		t.Error("a cut body was accepted")
	}
	if packed, err := pack(nil); err != nil || len(packed) != 0 {
		t.Errorf("nothing became %d bytes, %v", len(packed), err)
	}
}

func TestAuthenticate(t *testing.T) {
	h := Authenticate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }), "strata", "pass:word")
	for name, c := range map[string]struct {
		prepare func(*http.Request)
		want    int
	}{
		"nobody":         {func(*http.Request) {}, http.StatusForbidden},
		"basic":          {func(r *http.Request) { r.SetBasicAuth("strata", "pass:word") }, http.StatusTeapot},
		"wrong password": {func(r *http.Request) { r.SetBasicAuth("strata", "pass") }, http.StatusForbidden},
		"wrong user":     {func(r *http.Request) { r.SetBasicAuth("default", "pass:word") }, http.StatusForbidden},
		"headers": {func(r *http.Request) {
			r.Header.Set("X-ClickHouse-User", "strata")
			r.Header.Set("X-ClickHouse-Key", "pass:word")
		}, http.StatusTeapot},
		"ping": {func(r *http.Request) { r.URL.Path = "/ping" }, http.StatusTeapot},
	} {
		r, w := httptest.NewRequest("POST", "/", nil), httptest.NewRecorder()
		c.prepare(r)
		h.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: %d, want %d", name, w.Code, c.want)
		}
		if w.Code == http.StatusForbidden && w.Header().Get("X-ClickHouse-Exception-Code") != "516" {
			t.Errorf("%s: code %q", name, w.Header().Get("X-ClickHouse-Exception-Code"))
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add("query=INSERT+INTO+t+FORMAT+Native&param_a=b", "rows")
	f.Add("max_threads=1&client_protocol_version=54460", "SELECT 1")
	f.Fuzz(func(t *testing.T, query, body string) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.URL.RawQuery = query
		q, err := parseRequest(r)
		if err != nil {
			return
		}
		if r.URL.Query().Get("decompress") == "1" {
			return // the body is what was packed into it
		}
		if q.insert && string(q.rows) != body || !q.insert && q.sql != body {
			t.Errorf("the body became %+v", q)
		}
		for name := range q.settings {
			if !isSettingName(name) {
				t.Errorf("%q passed as a setting", name)
			}
		}
	})
}
