// Package historytest checks differences by applying them.
package historytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"strata/projections/history"
)

// Apply applies changes to a document, in order, as JSON Patch would, and
// checks that what they say was there before was there.
func Apply(document json.RawMessage, changes []history.Change) (json.RawMessage, error) {
	root, err := decode(document)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		var path []string
		if c.Path != "" {
			path = strings.Split(c.Path[1:], "/")
		}
		if root, err = apply(root, path, c); err != nil {
			return nil, fmt.Errorf("%s %q: %w", c.Op, c.Path, err)
		}
	}
	return json.Marshal(root)
}

// Same tells whether two documents mean the same.
func Same(a, b json.RawMessage) bool {
	x, errX := decode(a)
	y, errY := decode(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decode(text json.RawMessage) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func apply(node any, path []string, c history.Change) (any, error) {
	if len(path) == 0 {
		if c.Op != history.Replace {
			return nil, fmt.Errorf("of a whole document")
		}
		if err := was(node, c); err != nil {
			return nil, err
		}
		return decode(c.After)
	}
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	switch node := node.(type) {
	case map[string]any:
		return inObject(node, name, path[1:], c)
	case []any:
		return inList(node, name, path[1:], c)
	}
	return nil, fmt.Errorf("%T has nothing named %q", node, name)
}

func inObject(node map[string]any, name string, rest []string, c history.Change) (any, error) {
	old, had := node[name]
	var err error
	switch {
	case len(rest) == 0 && c.Op == history.Add && !had:
		node[name], err = decode(c.After)
		return node, err
	case !had || len(rest) == 0 && c.Op == history.Add:
		return nil, fmt.Errorf("that %q is there is %t", name, had)
	case len(rest) == 0 && c.Op == history.Remove:
		delete(node, name)
		return node, was(old, c)
	}
	node[name], err = apply(old, rest, c)
	return node, err
}

func inList(node []any, name string, rest []string, c history.Change) (any, error) {
	i, err := strconv.Atoi(name)
	if err != nil || i < 0 || i > len(node) || i == len(node) && (c.Op != history.Add || len(rest) > 0) {
		return nil, fmt.Errorf("a list of %d has no place %q", len(node), name)
	}
	switch {
	case len(rest) == 0 && c.Op == history.Add:
		v, err := decode(c.After)
		return slices.Insert(node, i, v), err
	case len(rest) == 0 && c.Op == history.Remove:
		old := node[i]
		return slices.Delete(node, i, i+1), was(old, c)
	}
	node[i], err = apply(node[i], rest, c)
	return node, err
}

// was checks what a change says was there before.
func was(node any, c history.Change) error {
	before, err := decode(c.Before)
	if err == nil && !reflect.DeepEqual(before, node) {
		err = fmt.Errorf("%v was there, not %v", node, before)
	}
	return err
}
