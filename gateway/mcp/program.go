package mcp

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// program is the process of a server of transport stdio.
type program struct {
	cmd  *exec.Cmd
	said tail
}

// newProgram prepares the process. Its environment is what programs need to run
// at all, and the server's own: nothing of Strata's, which may hold secrets.
func newProgram(s Server) (*program, error) {
	path, err := exec.LookPath(s.Command)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", s.Command, err)
	}
	p := &program{cmd: exec.Command(path, s.Args...)}
	p.cmd.Dir = os.TempDir()
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.TempDir(), "LANG=C.UTF-8"}
	for name, value := range s.Env {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stderr = &p.said
	p.cmd.WaitDelay = terminate // a grandchild may hold standard error open
	ownGroup(p.cmd)
	return p, nil
}

func (p *program) transport() sdk.Transport {
	return &sdk.CommandTransport{Command: p.cmd, TerminateDuration: terminate}
}

// kill ends whatever the program started and left behind.
func (p *program) kill() {
	if p.cmd.Process != nil {
		killGroup(p.cmd.Process.Pid)
	}
}

// keptTail is how much of what a program says is kept.
const keptTail = 500

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - keptTail; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(t.text), ""))
}
