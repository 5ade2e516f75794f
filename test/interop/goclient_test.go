//go:build e2e

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	goClient        = "github.com/EventStore/EventStore-Client-Go/v4"
	goClientLimit   = 2 * time.Minute // of one run of its tests
	goClientMinimum = 55              // tests that pass in every mode, so that an empty run is noticed
)

// exception is a line of goclient.txt: a test of the official client that does
// not pass, and why.
type exception struct {
	kind   string // "fails", "crashes" (and is run alone), "endless" (and is not run)
	mode   string // of the server, or "any"
	test   string
	reason string
}

func TestGoClient(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := buildGoClientTests(t, dir)
	makeCertificates(t, filepath.Join(dir, "certs"))
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			g := &goRun{t: t, mode: m, dir: filepath.Join(dir, "esdb"), program: program, known: exceptions(t, m)}
			g.check()
		})
	}
}

// buildGoClientTests copies the official client out of the module cache, puts our
// file in its place and builds its tests, with the modules that Strata is built
// with itself.
func buildGoClientTests(t *testing.T, dir string) string {
	t.Helper()
	source := strings.TrimSpace(run(t, "", "go", "list", "-m", "-f", "{{.Dir}}", goClient))
	for _, part := range []string{"esdb", "protos", "resources"} {
		if err := copyDir(filepath.Join(source, part), filepath.Join(dir, part)); err != nil {
			t.Fatal(err)
		}
	}
	ours, err := os.ReadFile(filepath.Join("testdata", "containers_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "esdb", "containers_test.go"), ours, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		both, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Fatal(err)
		}
		if name == "go.sum" {
			theirs, err := os.ReadFile(filepath.Join(source, name))
			if err != nil {
				t.Fatal(err)
			}
			both = append(both, theirs...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), both, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, dir, "go", "mod", "edit", "-module", goClient, "-droprequire", goClient,
		"-require", "github.com/goombaio/namegenerator@v0.0.0-20181006234301-989e774b106e")
	program := filepath.Join(dir, "esdb.test")
	run(t, dir, "go", "test", "-mod=mod", "-trimpath", "-c", "-o", program, "./esdb")
	return program
}

func copyDir(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, &stderr)
	}
	return string(out)
}

// exceptions reads the list for one mode.
func exceptions(t *testing.T, m mode) (out []exception) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "goclient.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(data), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		f := strings.Fields(line)
		if len(f) < 4 || !slices.Contains([]string{"fails", "crashes", "endless"}, f[0]) {
			t.Fatalf("goclient.txt:%d: not a kind, a mode, a test and a reason", n+1)
		}
		if f[1] == "any" || f[1] == m.name {
			out = append(out, exception{f[0], f[1], f[2], strings.Join(f[3:], " ")})
		}
	}
	return out
}

// goRun runs the official client's tests against servers of one mode.
type goRun struct {
	t       *testing.T
	mode    mode
	dir     string
	program string
	known   []exception
}

// check runs everything and compares with the list.
func (g *goRun) check() {
	suites := "^(TestStreams|TestPersistentSubscriptions|TestProjections|TestPlugins|TestExpectations|TestMisc)$"
	var apart []string
	for _, e := range g.known {
		if e.kind != "fails" {
			apart = append(apart, pattern(e.test))
		}
	}
	output, err := g.run("-test.run", suites, "-test.skip", strings.Join(apart, "|"))
	results := parse(output)
	passed := 0
	for test, result := range results {
		if result == "PASS" && leaf(test, results) {
			passed++
		}
		if result == "FAIL" && leaf(test, results) && !g.lists(test, "fails") {
			g.t.Errorf("%s fails and is not listed", test)
		}
	}
	if passed < goClientMinimum {
		g.t.Errorf("%d tests passed, there are at least %d (%v)", passed, goClientMinimum, err)
	}
	for _, e := range g.known {
		switch {
		case e.kind == "fails" && results[e.test] != "FAIL":
			g.t.Errorf("%s is listed and does not fail: %q", e.test, results[e.test])
		case e.kind == "crashes":
			if out, err := g.run("-test.run", pattern(e.test)); err == nil {
				g.t.Errorf("%s is listed and does not fail:\n%s", e.test, out)
			}
		}
	}
	if g.t.Failed() {
		g.t.Logf("%s", output)
	}
	g.t.Logf("%d tests passed, %d are listed", passed, len(g.known))
}

func (g *goRun) lists(test, kind string) bool {
	return slices.ContainsFunc(g.known, func(e exception) bool { return e.test == test && e.kind == kind })
}

// run runs the built tests. The servers that they start end with them.
func (g *goRun) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(g.t.Context(), goClientLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.program, append([]string{"-test.v"}, args...)...)
	cmd.Dir = g.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	cmd.Env = append(environment(), "STRATA_BIN="+binary(g.t), fmt.Sprintf("EVENTSTORE_INSECURE=%v", !g.mode.secure),
		"STRATA_SECURE_FLAGS="+strings.Join(secureFlags(filepath.Join(g.dir, "..", "certs")), " "))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if ctx.Err() != nil {
		g.t.Errorf("the official tests %v did not end within %v", args, goClientLimit)
	}
	return out.String(), err
}

// pattern matches one test, by each part of its name.
func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, p := range parts {
		parts[i] = "^" + regexp.QuoteMeta(p) + "$"
	}
	return strings.Join(parts, "/")
}

// parse finds the results of tests in what they printed.
func parse(output string) map[string]string {
	results := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)--- (PASS|FAIL|SKIP): (\S+) \(`).FindAllStringSubmatch(output, -1) {
		results[m[2]] = m[1]
	}
	return results
}

// leaf tells whether a test has no tests of its own.
func leaf(test string, results map[string]string) bool {
	for other := range results {
		if strings.HasPrefix(other, test+"/") {
			return false
		}
	}
	return true
}
