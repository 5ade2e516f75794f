package chserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"strata/internal/clickhouse/engine"
)

// maxStatement bounds the text of one statement, and maxRows the rows of one
// INSERT as they travel. Both are far above what Strata sends; they stop a
// broken client from filling the memory.
const (
	maxStatement = 16 << 20
	maxRows      = 1 << 30
)

// Server is an http.Handler over a fixed pool of engine connections.
type Server struct {
	log      *slog.Logger
	sessions chan *session // idle ones
	all      []*session
}

// New connects a pool to the engine. Statements beyond its size queue. The
// database is created when missing and is the default one.
func New(e *engine.Engine, size int, database string, log *slog.Logger) (*Server, error) {
	s := &Server{log: log, sessions: make(chan *session, size)}
	for range size {
		conn, err := e.Connect()
		if err != nil {
			return nil, err
		}
		if len(s.all) == 0 {
			if _, err := conn.Query("CREATE DATABASE IF NOT EXISTS "+quoteIdent(database), "Null"); err != nil {
				return nil, fmt.Errorf("create database %s: %w", database, err)
			}
		}
		session := &session{conn: conn, settings: map[string]string{}}
		s.all = append(s.all, session)
		s.sessions <- session
	}
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/ping" {
		_, _ = io.WriteString(w, "Ok.\n")
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	result, err := s.execute(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(result)))
	if _, err := w.Write(result); err != nil {
		s.log.Debug("client left before its answer", "error", err)
	}
}

// execute runs the statement of a request and returns the body of the answer.
func (s *Server) execute(r *http.Request) ([]byte, error) {
	q, err := parseRequest(r)
	if err != nil {
		return nil, err
	}
	session, err := s.acquire(r.Context())
	if err != nil {
		return nil, err
	}
	defer func() { s.sessions <- session }()
	if err := session.prepare(q); err != nil {
		return nil, err
	}
	if q.insert {
		return nil, session.conn.Insert(q.sql, "Native", q.rows)
	}
	native, err := session.conn.Query(q.sql, "Native", q.params...)
	if err != nil {
		return nil, err
	}
	out, err := transcode(native, q.revision)
	if err == nil && q.compress {
		return pack(out)
	}
	return out, err
}

// acquire waits for an idle session.
func (s *Server) acquire(ctx context.Context) (*session, error) {
	select {
	case session := <-s.sessions:
		return session, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// exceptionCode finds the number in "Code: 60. DB::Exception: …".
var exceptionCode = regexp.MustCompile(`^Code: (\d+)\.`)

// fail answers an error the way ClickHouse does, so that the driver makes its
// typed exception of it.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody listens
	}
	text, code := err.Error(), "1002" // UNKNOWN_EXCEPTION
	if fault, ok := errors.AsType[*engine.Error](err); ok {
		if m := exceptionCode.FindStringSubmatch(fault.Text); m != nil {
			code = m[1]
		}
	}
	if !strings.HasPrefix(text, "Code: ") {
		text = "Code: " + code + ". DB::Exception: " + text
	}
	w.Header().Set("X-ClickHouse-Exception-Code", code)
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, text)
}
