package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Change is one difference between two JSON documents. Applying the changes of
// a difference to the first document, in order, gives the second.
type Change struct {
	Path   string          // JSON pointer (RFC 6901); "" is the whole document
	Op     string          // Add, Remove or Replace, as in JSON Patch (RFC 6902)
	Before json.RawMessage // nil for Add
	After  json.RawMessage // nil for Remove
}

// What a change does.
const (
	Add     = "add"     // a field or list element that was not there
	Remove  = "remove"  // one that is not there any more
	Replace = "replace" // another value in its place
)

// Diff compares two JSON documents. Objects are compared field by field, in the
// order of their names. Lists of one length are compared element by element; of
// two lengths, elements put in or taken out at one place are found, and
// anything more is a new list.
func Diff(before, after json.RawMessage) ([]Change, error) {
	d := differ{}
	if err := d.compare(nil, before, after); err != nil {
		return nil, fmt.Errorf("compare documents: %w", err)
	}
	return d.changes, nil
}

type differ struct{ changes []Change }

func (d *differ) add(path []string, after json.RawMessage) {
	d.changes = append(d.changes, Change{Path: Pointer(path...), Op: Add, After: after})
}

func (d *differ) remove(path []string, before json.RawMessage) {
	d.changes = append(d.changes, Change{Path: Pointer(path...), Op: Remove, Before: before})
}

func (d *differ) compare(path []string, a, b json.RawMessage) error {
	a, b = bytes.TrimSpace(a), bytes.TrimSpace(b)
	if bytes.Equal(a, b) {
		return nil
	}
	if len(a) == 0 || len(b) == 0 {
		return fmt.Errorf("at %q: no value", Pointer(path...))
	}
	switch {
	case a[0] == '{' && b[0] == '{':
		return d.objects(path, a, b)
	case a[0] == '[' && b[0] == '[':
		return d.lists(path, a, b)
	}
	same, err := sameScalar(a, b)
	if err == nil && !same {
		d.changes = append(d.changes, Change{Path: Pointer(path...), Op: Replace, Before: a, After: b})
	}
	return err
}

func (d *differ) objects(path []string, a, b json.RawMessage) error {
	var before, after map[string]json.RawMessage
	if err := json.Unmarshal(a, &before); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &after); err != nil {
		return err
	}
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		old, had := before[name]
		now, has := after[name]
		at := append(slices.Clip(path), name)
		switch {
		case !had:
			d.add(at, now)
		case !has:
			d.remove(at, old)
		default:
			if err := d.compare(at, old, now); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *differ) lists(path []string, a, b json.RawMessage) error {
	var before, after []json.RawMessage
	if err := json.Unmarshal(a, &before); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &after); err != nil {
		return err
	}
	if len(before) == len(after) {
		for i := range before {
			if err := d.compare(append(slices.Clip(path), strconv.Itoa(i)), before[i], after[i]); err != nil {
				return err
			}
		}
		return nil
	}
	head, tail, err := ends(before, after)
	if err != nil {
		return err
	}
	gone, come := before[head:len(before)-tail], after[head:len(after)-tail]
	switch {
	case len(come) == 0:
		for i := len(gone) - 1; i >= 0; i-- { // from the end: the others keep their places
			d.remove(append(slices.Clip(path), strconv.Itoa(head+i)), gone[i])
		}
	case len(gone) == 0:
		for i, v := range come {
			d.add(append(slices.Clip(path), strconv.Itoa(head+i)), v)
		}
	default:
		d.changes = append(d.changes, Change{Path: Pointer(path...), Op: Replace, Before: a, After: b})
	}
	return nil
}

// ends counts the elements that two lists share at their beginnings and, of the
// rest, at their ends.
func ends(a, b []json.RawMessage) (head, tail int, err error) {
	short := min(len(a), len(b))
	for ; head < short; head++ {
		if same, err := equal(a[head], b[head]); err != nil || !same {
			if err != nil {
				return 0, 0, err
			}
			break
		}
	}
	for ; tail < short-head; tail++ {
		if same, err := equal(a[len(a)-1-tail], b[len(b)-1-tail]); err != nil || !same {
			return head, tail, err
		}
	}
	return head, tail, nil
}

func equal(a, b json.RawMessage) (bool, error) {
	d := differ{}
	err := d.compare(nil, a, b)
	return len(d.changes) == 0, err
}

// sameScalar compares two values of which at most one is an object or a list.
// A string is the same in every spelling; a number only in the same digits,
// because what reads them may tell 1 from 1.0.
func sameScalar(a, b json.RawMessage) (bool, error) {
	if !json.Valid(a) || !json.Valid(b) {
		return false, fmt.Errorf("%.40q and %.40q are not both JSON", a, b)
	}
	if a[0] != '"' || b[0] != '"' {
		return false, nil
	}
	var x, y string
	if err := json.Unmarshal(a, &x); err != nil {
		return false, err
	}
	err := json.Unmarshal(b, &y)
	return x == y, err
}

// Pointer writes a JSON pointer (RFC 6901).
func Pointer(path ...string) string {
	var b strings.Builder
	for _, step := range path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	return b.String()
}
