package chserver

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

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
}

// transport are the parameters that steer the exchange and are no settings of
// the statement. Nothing that compresses is offered, so none is honoured.
var transport = []string{
	"client_protocol_version", "database", "default_format", "query", "query_id", "quota_key",
	"user", "password", "wait_end_of_query",
}

func parseRequest(r *http.Request) (*request, error) {
	values := r.URL.Query()
	q := &request{database: values.Get("database"), settings: map[string]string{}}
	for name, list := range values {
		value := list[len(list)-1]
		switch {
		case strings.HasPrefix(name, "param_"):
			q.params = append(q.params, engine.Param{Name: strings.TrimPrefix(name, "param_"), Value: value})
		case name == "compress" || name == "decompress":
			if value == "1" {
				return nil, fmt.Errorf("compression is not offered here (set compression to none)")
			}
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
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("request is over %d bytes", limit)
	}
	if q.insert {
		q.sql, q.rows = trimFormat(q.sql), body
		return q, nil
	}
	q.sql = string(body)
	return q, nil
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
