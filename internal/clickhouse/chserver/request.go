package chserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/ch-go/compress"

	"strata/internal/clickhouse/engine"
)

// request is one statement as it came over HTTP.
type request struct {
	sql      string
	insert   bool   // rows follow
	rows     []byte // Native blocks
	params   []engine.Param
	database string
	settings map[string]string
	revision uint64 // of the blocks in the answer
	compress bool   // the answer
}

// transport are the parameters that steer the exchange and are no settings of
// the statement.
var transport = []string{
	"client_protocol_version", "compress", "database", "decompress", "default_format", "query", "query_id", "quota_key",
	"user", "password", "wait_end_of_query",
}

func parseRequest(r *http.Request) (*request, error) {
	values := r.URL.Query()
	q := &request{database: values.Get("database"), settings: map[string]string{}, compress: values.Get("compress") == "1"}
	for name, list := range values {
		value := list[len(list)-1]
		switch {
		case strings.HasPrefix(name, "param_"):
			q.params = append(q.params, engine.Param{Name: strings.TrimPrefix(name, "param_"), Value: value})
		case !slices.Contains(transport, name):
			if !isSettingName(name) {
				return nil, fmt.Errorf("%q is not the name of a setting", name)
			}
			q.settings[name] = value
		}
	}
	if v := values.Get("client_protocol_version"); v != "" {
		revision, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("client_protocol_version: %w", err)
		}
		q.revision = revision
	}
	q.sql = values.Get("query")
	q.insert = q.sql != ""
	limit := int64(maxStatement)
	if q.insert {
		limit = maxRows
	}
	// The whole body is read before the engine is touched: a client that
	// leaves half-way leaves no half-written insert behind.
	body, err := readBody(r.Body, values.Get("decompress") == "1", limit)
	if err != nil {
		return nil, err
	}
	if q.insert {
		q.sql, q.rows = trimFormat(q.sql), body
		return q, nil
	}
	q.sql = string(body)
	return q, nil
}

// readBody reads what was sent, which may be in ClickHouse's compressed frames.
func readBody(body io.Reader, compressed bool, limit int64) ([]byte, error) {
	if compressed {
		counted := &countingReader{from: body}
		body = &frames{counted: counted, frames: compress.NewReader(counted)}
	}
	text, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("request is over %d bytes", limit)
	}
	return text, nil
}

// frames reads compressed frames. The library's reader does not tell an end
// between two frames from one within a frame; this does.
type frames struct {
	counted *countingReader
	frames  *compress.Reader
	whole   int64 // bytes of the frames read completely
}

// Read implements io.Reader.
func (f *frames) Read(p []byte) (int, error) {
	n, err := f.frames.Read(p)
	switch {
	case err == nil:
		f.whole = f.counted.n
	case errors.Is(err, io.EOF) && f.whole == f.counted.n:
		err = io.EOF
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// countingReader counts what is read through it.
type countingReader struct {
	from io.Reader
	n    int64
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

// trimFormat takes the format the driver adds to an INSERT away again: the
// engine's insert stream adds its own.
func trimFormat(sql string) string {
	sql = strings.TrimSpace(sql)
	if upper := strings.ToUpper(sql); strings.HasSuffix(upper, "FORMAT NATIVE") {
		sql = strings.TrimSpace(sql[:len(sql)-len("FORMAT NATIVE")])
	}
	return sql
}

func isSettingName(name string) bool {
	for _, c := range name {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return name != ""
}
