package clickhouse

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

const (
	maxSocketPath   = 100              // the kernel allows 108 bytes
	steadyAfter     = 10 * time.Second // a child that lived so long was not at fault when it started
	maxRestartSteps = 30               // cap of the restart delay, in multiples of the first
)

// Supervisor keeps one child with the engine running.
type Supervisor struct {
	cfg     Config
	library string
	socket  string
	tempDir string // of the socket, when the data directory's path is too long for one
	log     *slog.Logger
	track   *tracker

	stopOnce sync.Once
	stopping chan struct{} // closed by Stop
	done     chan struct{} // closed when the child is gone for good
}

// NewSupervisor prepares the child and starts it; it does not wait for it.
// library is what FindLibrary returned.
func NewSupervisor(cfg Config, library string) (*Supervisor, error) {
	cfg = cfg.withDefaults()
	if len(cfg.Command) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find our own executable: %w", err)
		}
		cfg.Command = []string{exe, ChildCommand}
	}
	dir, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	cfg.DataDir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	s := &Supervisor{
		cfg: cfg, library: library, log: cfg.Logger, track: newTracker(),
		stopping: make(chan struct{}), done: make(chan struct{}),
		socket: filepath.Join(dir, "clickhouse.sock"),
	}
	if len(s.socket) > maxSocketPath {
		if s.tempDir, err = os.MkdirTemp("", "strata-"); err != nil {
			return nil, fmt.Errorf("directory for the engine's socket: %w", err)
		}
		s.socket = filepath.Join(s.tempDir, "clickhouse.sock")
	}
	go onOwnThread(s.run)
	return s, nil
}

// Status tells how the child is.
func (s *Supervisor) Status() Status { return s.track.get() }

// Ready returns a channel that is closed while the child serves. Ask again
// after a fault.
func (s *Supervisor) Ready() <-chan struct{} { return s.track.readyNow() }

// Dial connects to the child. It fails at once when the child does not serve.
func (s *Supervisor) Dial(ctx context.Context) (net.Conn, error) {
	if status := s.Status(); status.State != Ready {
		return nil, fmt.Errorf("%w (%s)", ErrNotReady, status.State)
	}
	var d net.Dialer
	return d.DialContext(ctx, "unix", s.socket)
}

// Stop tells the child to finish the statements under way and to exit, and
// waits for that. When ctx ends first the child is killed; the data is safe
// either way.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
	}
	if pid := s.Status().PID; pid != 0 {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill() // it may have ended by itself just now
		}
	}
	<-s.done
	return ctx.Err()
}

func (s *Supervisor) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// run starts the child again and again until Stop. It has a thread to itself: the
// kernel sends the parent-death signal when the starting *thread* ends, and the
// child inherits that thread's priority.
func (s *Supervisor) run() {
	defer close(s.done)
	defer s.cleanUp()
	if err := yieldThread(s.cfg.Nice); err != nil {
		s.log.Warn("the ClickHouse engine runs at our own priority", "error", err)
	}
	delay := s.cfg.RestartDelay
	for {
		began := time.Now()
		err := s.runChild()
		if s.isStopping() {
			s.track.set(Stopped, 0, nil)
			return
		}
		if err == nil {
			err = errors.New("the engine ended by itself")
		}
		state := Restarting
		if status := s.Status(); status.State == Starting {
			state = Starting
		}
		s.track.set(state, 0, err)
		if time.Since(began) > steadyAfter {
			delay = s.cfg.RestartDelay
		}
		s.log.Warn("ClickHouse engine is down, starting it again", "error", err, "in", delay)
		select {
		case <-time.After(delay):
		case <-s.stopping:
			s.track.set(Stopped, 0, nil)
			return
		}
		delay = min(2*delay, maxRestartSteps*s.cfg.RestartDelay)
	}
}

func (s *Supervisor) cleanUp() {
	_ = os.Remove(s.socket) // the child removes it when it stops in order
	if s.tempDir != "" {
		_ = os.Remove(s.tempDir)
	}
}

// runChild starts one child and returns when it has ended, with its fault.
func (s *Supervisor) runChild() error {
	if err := os.Remove(s.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the socket of an earlier child: %w", err)
	}
	readyRead, readyWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	defer readyRead.Close()
	args := childOptions{
		socket: s.socket, data: filepath.Join(s.cfg.DataDir, EmbeddedDir), library: s.library,
		maxMemory: s.cfg.MaxMemory, connections: s.cfg.Connections,
	}.args()
	cmd := exec.Command(s.cfg.Command[0], append(s.cfg.Command[1:len(s.cfg.Command):len(s.cfg.Command)], args...)...)
	cmd.Env = append(os.Environ(), s.cfg.Env...)
	cmd.ExtraFiles = []*os.File{readyWrite}
	cmd.SysProcAttr = childAttributes()
	messages := &lastLine{log: s.log}
	cmd.Stdout, cmd.Stderr = messages, messages
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return errors.Join(err, readyWrite.Close())
	}
	err = cmd.Start()
	_ = readyWrite.Close() // ours; the child holds its own
	if err != nil {
		return fmt.Errorf("start the ClickHouse engine: %w", err)
	}
	ended := make(chan struct{})
	go s.superviseStart(cmd.Process.Pid, readyRead, stdin, ended)
	err = cmd.Wait()
	close(ended)
	if err != nil && messages.text() != "" {
		err = fmt.Errorf("%w: %s", err, messages.text())
	}
	return err
}

// superviseStart waits for the child to announce itself, and then to be told
// to stop: closing its standard input tells it.
func (s *Supervisor) superviseStart(pid int, ready io.Reader, stdin io.Closer, ended <-chan struct{}) {
	defer stdin.Close()
	s.track.set(s.Status().State, pid, nil)
	announced := make(chan bool, 1)
	go func() {
		line, _ := bufio.NewReader(ready).ReadString('\n')
		announced <- line != ""
	}()
	for {
		select {
		case ok := <-announced:
			if ok {
				s.track.set(Ready, pid, nil)
				s.log.Info("ClickHouse engine is ready", "pid", pid)
			}
			announced = nil
		case <-s.stopping:
			return
		case <-ended:
			return
		}
	}
}

// lastLine passes what the child prints to the log, and keeps the last line as
// the likely reason of its end.
type lastLine struct {
	log  *slog.Logger
	mu   sync.Mutex
	rest []byte
	last string
}

// Write implements io.Writer.
func (l *lastLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range p {
		if b != '\n' {
			if len(l.rest) < 4096 {
				l.rest = append(l.rest, b)
			}
			continue
		}
		if len(l.rest) > 0 {
			l.last = string(l.rest)
			l.log.Debug("ClickHouse engine: " + l.last)
		}
		l.rest = l.rest[:0]
	}
	return len(p), nil
}

func (l *lastLine) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		return string(l.rest)
	}
	return l.last
}
