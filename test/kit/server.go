package kit

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// AdminKey is the admin key that every server of the kit is given.
const AdminKey = "sk-strata-e2e-admin-key-0123456789abcdef"

// WordsAlone is a setting for tests that count every call of a model: without it Strata
// embeds what is remembered, and each of these calls is in the inference log.
const WordsAlone = "STRATA_MEMORIES_EMBEDDING_MODEL="

// How long the kit waits before it gives up.
const (
	startDeadline = time.Minute
	stopDeadline  = 30 * time.Second // the server promises ten seconds, and closes its files then; a busy machine takes its time
	pollInterval  = 10 * time.Millisecond
)

// Options say how a server is started. The zero value is what a stranger gets.
type Options struct {
	DataDir string   // default: a temporary directory
	Env     []string // more variables, "NAME=value"
	Args    []string // more flags of serve
	Binary  string   // the program; default: Binary()

	StartWithin time.Duration // how long a start may take; default 30 s

	// Command is the subcommand, and LogFile where the process writes; the defaults
	// are serve and the data directory's name with .log.
	Command, LogFile string
	// Listens says that the process has no /readyz: it is ready when it listens.
	Listens bool
}

// Server is a strata process.
type Server struct {
	URL     string // http://127.0.0.1:port
	DataDir string

	opts    Options
	address string
	logFile string
	cmd     *exec.Cmd
	exited  chan struct{} // closed when the process is gone
	waitErr error         // valid after exited
}

// Root is the top of the repository.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside the repository")
		}
	}
}

// Binary is the path of the program under test.
func Binary() (string, error) {
	if path := os.Getenv("STRATA_BIN"); path != "" {
		return path, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(root, "bin", "strata")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the server is not built, run make build: %w", err)
	}
	return path, nil
}

// Start runs a server that stops with the test. It is ready when Start returns.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	if opts.DataDir == "" {
		opts.DataDir = t.TempDir()
	}
	s, err := New(opts)
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
		if t.Failed() {
			t.Logf("the end of the server's log (%s):\n%s", s.logFile, s.LogTail(60))
		}
	})
	return s
}

// New prepares a server without starting it. Its DataDir must be set.
func New(opts Options) (*Server, error) {
	// The port is found first and then kept, so that a restarted server is
	// reached at the same address.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	return &Server{
		URL: "http://" + address, DataDir: opts.DataDir, opts: opts, address: address,
		logFile: cmp.Or(opts.LogFile, filepath.Clean(opts.DataDir)+".log"),
	}, nil
}

// At is a server, or the edge of a cluster, that somebody else runs.
func At(url string) *Server { return &Server{URL: strings.TrimRight(url, "/")} }

// Start starts the process and waits until it is ready.
func (s *Server) Start() error {
	binary, err := s.binary()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(s.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close() // the process has its own descriptor
	s.cmd = exec.Command(binary, append([]string{cmp.Or(s.opts.Command, "serve"), "--data-dir", s.DataDir, "--listen", s.address}, s.opts.Args...)...)
	s.cmd.Env = s.environment()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.Dir = filepath.Dir(s.DataDir) // no strata.yaml there
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func(cmd *exec.Cmd) {
		s.waitErr = cmd.Wait()
		close(exited)
	}(s.cmd)
	return s.WaitReady(cmp.Or(s.opts.StartWithin, startDeadline))
}

func (s *Server) binary() (string, error) {
	if s.opts.Binary != "" {
		return s.opts.Binary, nil
	}
	return Binary()
}

// SetEnv replaces Options.Env for the next start.
func (s *Server) SetEnv(env ...string) { s.opts.Env = env }

// WaitExit waits until the process has ended by itself and returns its exit code.
func (s *Server) WaitExit(within time.Duration) (int, error) {
	select {
	case <-s.exited:
		return s.cmd.ProcessState.ExitCode(), nil
	case <-time.After(within):
		return 0, fmt.Errorf("the server still runs after %s", within)
	}
}

// environment is the test's own without settings of Strata, plus the options'.
func (s *Server) environment() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "STRATA_") || strings.HasPrefix(pair, "STRATA_CHDB_LIB=") {
			env = append(env, pair)
		}
	}
	return append(append(env, "STRATA_ADMIN_KEY="+AdminKey), s.opts.Env...)
}

// WaitReady waits until the server says that it can serve.
func (s *Server) WaitReady(within time.Duration) error {
	if s.opts.Listens {
		return s.waitListening(within)
	}
	return s.waitFor(within, "be ready", func(status int, _ Readiness) bool { return status == http.StatusOK })
}

func (s *Server) waitListening(within time.Duration) error {
	deadline := time.After(within)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		conn, err := net.DialTimeout("tcp", s.address, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-s.exited:
			return fmt.Errorf("it ended (%v) before it listened:\n%s", s.waitErr, s.LogTail(40))
		case <-deadline:
			return fmt.Errorf("it does not listen within %s: %w\n%s", within, err, s.LogTail(40))
		case <-tick.C:
		}
	}
}

// Address is where the process listens, host:port.
func (s *Server) Address() string { return s.address }

// Pause stops the process where it stands, as a machine that is suspended; Resume
// lets it go on.
func (s *Server) Pause() error { return s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Server) Resume() error { return s.cmd.Process.Signal(syscall.SIGCONT) }

// WaitClickHouse waits until the analytics engine answers.
func (s *Server) WaitClickHouse(within time.Duration) error {
	return s.waitFor(within, "have its ClickHouse ready", func(_ int, r Readiness) bool {
		return r.Components.ClickHouse.State == "ready" && s.answersAnalytics()
	})
}

// answersAnalytics tells whether the tables are there: the engine serves a
// moment before they have been made.
func (s *Server) answersAnalytics() bool {
	req, err := http.NewRequest(http.MethodGet, s.URL+"/v1/inference-logs/summary", nil)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+AdminKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

// WaitSettled waits until every read model has reached the end of the log.
func (s *Server) WaitSettled(within time.Duration) error {
	return s.waitFor(within, "bring its read models up to date", func(_ int, r Readiness) bool {
		for _, p := range r.Components.Projections {
			if p.Lag > 0 {
				return false
			}
		}
		return len(r.Components.Projections) > 0
	})
}

// Readiness is the body of /readyz, as far as tests look at it.
type Readiness struct {
	Status     string `json:"status"`
	Components struct {
		Projections []struct {
			Model string `json:"model"`
			Lag   int    `json:"lag"`
		} `json:"projections"`
		// Reactors are listed where they run.
		Reactors []struct {
			Model string `json:"model"`
			Lag   int    `json:"lag"`
		} `json:"reactors"`
		Relay struct {
			State string `json:"state"`
		} `json:"relay"`
		Lanes struct { // where calls reach ClickHouse over Kafka
			State string `json:"state"`
			Lanes []struct {
				Partition int    `json:"partition"`
				State     string `json:"state"`
				Lag       int64  `json:"lag"`
			} `json:"lanes"`
		} `json:"lanes"`
		ClickHouse struct {
			State   string `json:"state"`
			PID     int    `json:"pid"`
			Message string `json:"message"`
		} `json:"clickhouse"`
	} `json:"components"`
}

// Readiness asks the server how it is.
func (s *Server) Readiness(ctx context.Context) (status int, r Readiness, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/readyz", nil)
	if err != nil {
		return 0, r, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, r, err
	}
	defer res.Body.Close()
	return res.StatusCode, r, json.NewDecoder(res.Body).Decode(&r)
}

func (s *Server) waitFor(within time.Duration, what string, ok func(int, Readiness) bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	var last error
	for {
		status, r, err := s.Readiness(ctx)
		if err == nil && ok(status, r) {
			return nil
		}
		if ctx.Err() == nil {
			last = fmt.Errorf("status %d, %+v, %w", status, r, err)
			if err == nil {
				last = fmt.Errorf("status %d, %+v", status, r)
			}
		}
		select {
		case <-s.exited:
			return fmt.Errorf("the server ended (%v) before it could %s:\n%s", s.waitErr, what, s.LogTail(40))
		case <-ctx.Done():
			return fmt.Errorf("the server did not %s within %s: %v\n%s", what, within, last, s.LogTail(40))
		case <-tick.C:
		}
	}
}

// Running tells whether the process is alive.
func (s *Server) Running() bool {
	if s.exited == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// PID is the process id.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Stop sends SIGTERM and waits. The error tells of a process that did not end in
// time or not well. Stopping twice is fine.
func (s *Server) Stop() error {
	if !s.Running() {
		return nil
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-s.exited:
		return s.waitErr
	case <-time.After(stopDeadline):
		return errors.Join(fmt.Errorf("the server did not stop within %s of SIGTERM", stopDeadline), s.Kill())
	}
}

// Kill ends the process with kill -9 and waits until it is gone.
func (s *Server) Kill() error {
	if !s.Running() {
		return nil
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.exited
	return nil
}

// Log is everything the process has written so far, of all its runs.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logFile)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// LogTail is the last lines of the log.
func (s *Server) LogTail(lines int) string {
	all := strings.Split(strings.TrimRight(s.Log(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// Tool runs a subcommand of the program, such as "verify", on the server's data
// and returns what it wrote.
func (s *Server) Tool(ctx context.Context, args ...string) (string, error) {
	binary, err := Binary()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(s.environment(), "STRATA_DATA_DIR="+s.DataDir)
	cmd.Dir = filepath.Dir(s.DataDir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("strata %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), err
}

// closeBody ends the use of an answer; what is left of it does not matter.
func closeBody(res *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // lets the connection be used again
	_ = res.Body.Close()
}
