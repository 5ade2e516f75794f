package arch

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// skipped are folders with nothing written by us.
var skipped = []string{".git", ".cache", "bin", "data", "dist", "node_modules", "testdata", ".venv", "shots"}

// eachFile calls do with every text file of the repository, named from its top.
func eachFile(t *testing.T, extensions []string, do func(name string, text []byte)) {
	t.Helper()
	top := filepath.Join("..", "..")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains(skipped, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains(extensions, filepath.Ext(path)) {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, path)
		do(filepath.ToSlash(name), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var programs = []string{".go", ".ts", ".tsx", ".mjs", ".js", ".py", ".css", ".sql", ".sh"}

func TestFilesAreShort(t *testing.T) {
	used := map[string]bool{}
	eachFile(t, programs, func(name string, text []byte) {
		if lines := bytes.Count(text, []byte("\n")); lines > maxFileLines {
			if used[name] = true; longFiles[name] == "" {
				t.Errorf("%s has %d lines, more than %d", name, lines, maxFileLines)
			}
		}
	})
	unused(t, "longFiles", longFiles, used)
}

// unfinished finds notes about work to be done. The words are put together
// here so that this file does not find itself.
var unfinished = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"}, "|") + `)\b`)

func TestNothingIsLeftToDo(t *testing.T) {
	eachFile(t, append(programs, ".md", ".yaml", ".yml"), func(name string, text []byte) {
		for i, line := range bytes.Split(text, []byte("\n")) {
			if word := unfinished.Find(line); word != nil {
				t.Errorf("%s:%d: %s: do it, or open an issue", name, i+1, word)
			}
		}
	})
}

func TestTestsDoNotSleep(t *testing.T) {
	sleep := []byte("time." + "Sleep(")
	used := map[string]bool{}
	eachFile(t, []string{".go"}, func(name string, text []byte) {
		if !strings.HasSuffix(name, "_test.go") && !strings.Contains(name, "test/") {
			return
		}
		if n := bytes.Count(text, sleep); n > 0 {
			if used[name] = true; sleepers[name] == "" {
				t.Errorf("%s sleeps %d times: wait for what you wait for", name, n)
			}
		}
	})
	unused(t, "sleepers", sleepers, used)
}
