// Package pages runs the examples of documentation pages, so that what a reader copies
// from them works. A page is run from its top to its end in one shell, as a reader would
// who leaves nothing out:
//
//   - every block of shell in it that makes a call with curl or api is run;
//   - an `export NAME=…` line says what the reader has to know; the test knows it instead;
//   - a block of JSON after such a block is what its last call answers: the answer has to
//     have its fields, of the same types;
//   - a block that begins with the comment `# needs …` is for readers who have that, and
//     is not run.
package pages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Block is one example.
type Block struct {
	Line   int    // in the page, of its first line
	Shell  string // what to run
	Answer string // JSON that its last call answers like; empty for any
	Needs  string // why it cannot be run everywhere; empty when it can
}

const (
	fence = "```"
	needs = "# needs "
)

var calls = regexp.MustCompile(`(?m)(^|[\s(;|])(curl|api) `)

// Read returns the examples of a page that make calls, or define what others need.
func Read(page string) ([]Block, error) {
	var (
		blocks   []Block
		language string
		begin    int
		text     []string
		open     bool // the last block of shell still may have an answer
	)
	for i, line := range strings.Split(page, "\n") {
		switch inside := begin > 0; {
		case !inside && strings.HasPrefix(line, fence):
			language, begin, text = strings.TrimPrefix(line, fence), i+2, nil
		case !inside && strings.HasPrefix(line, "#"):
			open = false
		case inside && line == fence:
			body := strings.Join(text, "\n")
			switch language {
			case "sh", "bash":
				if open = calls.MatchString(body) || strings.Contains(body, "export "); open {
					blocks = append(blocks, block(begin, body))
				}
			case "json":
				if open {
					blocks[len(blocks)-1].Answer = body
				}
				open = false
			default:
				open = false
			}
			begin = 0
		case inside:
			text = append(text, line)
		}
	}
	if begin > 0 {
		return nil, fmt.Errorf("line %d: the block has no end", begin-1)
	}
	return blocks, nil
}

func block(line int, body string) Block {
	b := Block{Line: line, Shell: body}
	if first, _, _ := strings.Cut(body, "\n"); strings.HasPrefix(first, needs) {
		b.Needs = strings.TrimPrefix(first, needs)
	}
	return b
}

var (
	exported   = regexp.MustCompile(`(?m)^export (.*)$`)
	assignment = regexp.MustCompile(`(?:^|\s)([A-Za-z_][A-Za-z0-9_]*)=`)
)

// known leaves out the lines in which readers put what they know, and returns the names
// that these lines set.
func known(shell string) (rest string, names []string) {
	rest = exported.ReplaceAllStringFunc(shell, func(line string) string {
		line, _, _ = strings.Cut(line, " #")
		for _, m := range assignment.FindAllStringSubmatch(line, -1) {
			names = append(names, m[1])
		}
		return ""
	})
	return rest, names
}

// Fits tells in what an answer is unlike the page's: what the page shows has to be
// there, of the same type. More may be there, and values may differ.
func Fits(shown, answered string) error {
	var want any
	if err := json.Unmarshal([]byte(shown), &want); err != nil {
		return fmt.Errorf("what the page shows is no JSON: %w", err)
	}
	got, err := last(answered)
	if err != nil {
		return err
	}
	return errors.Join(compare("the answer", want, got)...)
}

// last is the last JSON value of several.
func last(text string) (value any, err error) {
	in := json.NewDecoder(bytes.NewReader([]byte(text)))
	for n := 0; ; n++ {
		var v any
		switch err := in.Decode(&v); {
		case err == nil:
			value = v
		case errors.Is(err, io.EOF) && n > 0:
			return value, nil
		default:
			return nil, fmt.Errorf("no JSON was answered (%w): %.300s", err, text)
		}
	}
}

func compare(where string, want, got any) (faults []error) {
	if a, b := kind(want), kind(got); a != b {
		return []error{fmt.Errorf("%s is %s, the page shows %s", where, b, a)}
	}
	switch want := want.(type) {
	case map[string]any:
		has := got.(map[string]any)
		for _, name := range sorted(want) {
			if v, ok := has[name]; ok {
				faults = append(faults, compare(where+"."+name, want[name], v)...)
			} else {
				faults = append(faults, fmt.Errorf("%s has no %s, it has %s", where, name, strings.Join(sorted(has), ", ")))
			}
		}
	case []any:
		has := got.([]any)
		if len(want) > 0 && len(has) == 0 {
			return []error{fmt.Errorf("%s is empty", where)}
		}
		for i := range min(len(want), len(has)) {
			faults = append(faults, compare(fmt.Sprintf("%s[%d]", where, i), want[i], has[i])...)
		}
	}
	return faults
}

func kind(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a text"
	case float64:
		return "a number"
	case bool:
		return "true or false"
	}
	return "null"
}

func sorted(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
