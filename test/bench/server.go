package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"strata/test/kit"
)

// startWithin is enough for a server that has to read a full log first.
const startWithin = 5 * time.Minute

// withServer runs the real binary on an empty data directory.
func (s settings) withServer(do func(server *kit.Server) error) error {
	dir, err := os.MkdirTemp("", "strata-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	options := kit.Options{DataDir: filepath.Join(dir, "data"), StartWithin: startWithin}
	if s.profile != "" {
		options.Env = []string{"STRATA_PPROF_LISTEN=" + profilerAddress}
	}
	server, err := kit.New(options)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	if err := do(server); err != nil {
		return fmt.Errorf("%w\nthe end of the server's log:\n%s", err, joinKill(server))
	}
	return server.Stop()
}

func joinKill(s *kit.Server) string {
	if err := s.Kill(); err != nil {
		return err.Error()
	}
	return s.LogTail(20)
}

// address is where a server listens.
func address(s *kit.Server) string { return strings.TrimPrefix(s.URL, "http://") }

// create posts a resource and returns the id at a path of the answer.
func create(ctx context.Context, s *kit.Server, path string, body any, id string) (string, error) {
	a, err := s.Client().Call(ctx, http.MethodPost, path, body)
	if err != nil {
		return "", err
	}
	v, _ := a.Lookup(id)
	text, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("%s: %d %s", a.Request, a.Status, a.Short())
	}
	return text, nil
}

// cpuTime is what a process has used of the processors so far.
func cpuTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the program, in brackets, may hold anything: count after it.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat holds %q", pid, text)
	}
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * (time.Second / 100), nil // Linux counts in hundredths
}

// resident is the memory a process holds, in MB.
type resident struct {
	all   float64
	files float64 // of all: pages of files, which the system can take back
}

func residentMB(pid int) (r resident, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return r, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		into := map[string]*float64{"VmRSS": &r.all, "RssFile": &r.files}[name]
		if into == nil {
			continue
		}
		kb, err := strconv.ParseFloat(strings.Fields(value)[0], 64)
		if err != nil {
			return r, err
		}
		*into = kb / 1000
	}
	if r.all == 0 {
		return r, fmt.Errorf("/proc/%d/status has no VmRSS", pid)
	}
	return r, nil
}

// startUpstream serves an OpenAI-compatible provider that answers at once.
func startUpstream() (address string, stop func(), err error) {
	const (
		whole = `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there."},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}`
		frame = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}` + "\n\n"
		last  = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}` + "\n\ndata: [DONE]\n\n"
	)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the caller is gone
		}
		if !strings.Contains(string(body), `"stream":true`) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, whole) // the caller's business
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		for range 20 {
			_, _ = io.WriteString(w, frame) // the caller's business
			w.(http.Flusher).Flush()
		}
		_, _ = io.WriteString(w, last) // the caller's business
	})}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return listener.Addr().String(), func() { _ = server.Close() }, nil
}
