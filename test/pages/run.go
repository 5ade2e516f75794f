package pages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Session says what the reader of a page knows and has.
type Session struct {
	Env     map[string]string // what the page's export lines set
	Replace map[string]string // in the page's text: addresses of elsewhere by stand-ins
	Path    string            // directory of the strata program
}

// patience is how long a page may take.
const patience = 2 * time.Minute

// prelude makes a shell end at the first command that fails, and a call that is answered
// with an error such a command. What curl was answered is kept in the file CALLS. A
// stream, which never ends (curl -N), is followed for two seconds.
const prelude = `set -eEuo pipefail
curl() {
  local a follow=
  for a; do if [ "$a" = -N ]; then follow=1; fi; done
  if [ "$follow" ]; then command curl --fail --max-time 2 -s "$@" || [ $? = 28 ]; return; fi
  command curl --no-progress-meter --fail-with-body --write-out '%{stderr}answered %{http_code} to %{method} %{url_effective}\n' "$@" 2>>"$CALLS"
}
`

// Run runs the examples of a page, in a directory of its own.
func Run(t *testing.T, page string, s Session) {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "jq", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("the examples of the pages need %s: %v", tool, err)
		}
	}
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := Read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script, err := s.script(dir, blocks)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	log := filepath.Join(dir, "calls")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CALLS="+log, "PATH="+s.Path+string(os.PathListSeparator)+os.Getenv("PATH"))
	for name, value := range s.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	said, ran := cmd.CombinedOutput()
	made, err := os.ReadFile(log)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if ran != nil {
		t.Errorf("%s: %v\n%s", page, ran, said)
	}
	judge(t, page, dir, blocks, string(made))
}

// script is the page as one shell script. Each block writes to a file of its own, and
// says in the file of the calls that it has begun.
func (s Session) script(dir string, blocks []Block) (string, error) {
	var out strings.Builder
	out.WriteString(prelude)
	for i, b := range blocks {
		if b.Needs != "" {
			continue
		}
		shell, names := known(b.Shell)
		for _, name := range names {
			if _, ok := s.Env[name]; !ok {
				return "", fmt.Errorf("line %d: nobody told the test what %s is", b.Line, name)
			}
		}
		for from, to := range s.Replace {
			shell = strings.ReplaceAll(shell, from, to)
		}
		fmt.Fprintf(&out, "echo 'block %d' >>\"$CALLS\"\n{\n:\n%s\n} >'%s'\n", i, shell, output(dir, i))
	}
	return out.String(), nil
}

func output(dir string, i int) string { return filepath.Join(dir, "block"+strconv.Itoa(i)+".out") }

// judge compares what came with what the page says.
func judge(t *testing.T, page, dir string, blocks []Block, made string) {
	t.Helper()
	for part := range strings.SplitSeq(made, "block ") {
		number, lines, _ := strings.Cut(part, "\n")
		i, err := strconv.Atoi(number)
		if err != nil {
			continue // before the first
		}
		b := blocks[i]
		said, err := os.ReadFile(output(dir, i))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(lines) {
			if !strings.HasPrefix(line, "answered 2") {
				t.Errorf("%s:%d: %sits output ends with %s", page, b.Line, line, tail(string(said)))
			}
		}
		if b.Answer == "" {
			continue
		}
		if err := Fits(b.Answer, string(said)); err != nil {
			t.Errorf("%s:%d: %v\nin %s", page, b.Line, err, tail(string(said)))
		}
	}
}

func tail(text string) string { return text[max(0, len(text)-1500):] }
