package httpx

import (
	"strconv"
	"strings"
	"sync"

	"strata/domain"
)

// rewriter copies JSON and renames the fields that a shape knows, in one pass.
// Reading a request it also checks the structure: unknown, repeated, missing,
// forbidden and null fields become faults, and defaults are filled in, so that
// what comes out is canonical.
type rewriter struct {
	scanner
	out    []byte
	camel  bool // the mount's case: of the output when writing, of fault paths when reading
	path   []segment
	faults []domain.FieldError
	*verdict
}

// segment is one step of the path to the value being read.
type segment struct {
	field *shapeField // nil for an element or a map's key
	key   []byte      // a map's key
	index int
}

var rewriters = sync.Pool{New: func() any { return &rewriter{verdict: newVerdict()} }}

func newRewriter(dst, src []byte, camel bool) *rewriter {
	w := rewriters.Get().(*rewriter)
	w.scanner = scanner{src: src}
	w.out, w.camel, w.path, w.faults = dst, camel, w.path[:0], nil
	return w
}

func (w *rewriter) release() {
	w.src, w.out, w.faults = nil, nil, nil
	clear(w.path[:cap(w.path)])
	rewriters.Put(w)
}

// canonical rewrites the JSON of a request into canonical spelling, appended to
// dst, and checks its values. A non-nil error is a syntax error; faults are the
// fields in the wrong.
func canonical(dst, src []byte, s *shape, camel bool) ([]byte, []domain.FieldError, error) {
	w := newRewriter(dst, src, camel)
	defer w.release()
	if err := w.read(s); err != nil {
		return dst, nil, err
	}
	return w.out, w.faults, w.end()
}

// render rewrites canonical JSON into a mount's case, appended to dst.
// Write-only fields are left out; null lists and maps become empty ones.
func render(dst, src []byte, s *shape, camel bool) ([]byte, error) {
	w := newRewriter(dst, src, camel)
	defer w.release()
	if err := w.write(s); err != nil {
		return dst, err
	}
	return w.out, w.end()
}

// copyValue copies one value untouched.
func (w *rewriter) copyValue() error {
	w.space()
	start := w.pos
	if err := w.skip(); err != nil {
		return err
	}
	w.out = append(w.out, w.src[start:w.pos]...)
	return nil
}

// elements rewrites an array, giving each element to value.
func (w *rewriter) elements(s *shape, value func(*shape) error) error {
	if err := w.enter(); err != nil {
		return err
	}
	w.out = append(w.out, '[')
	w.path = append(w.path, segment{})
	for i := 0; ; i++ {
		more, err := w.next(i == 0, ']')
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.path[len(w.path)-1].index = i
		if err := value(s.elem); err != nil {
			return err
		}
	}
	w.path = w.path[:len(w.path)-1]
	w.out = append(w.out, ']')
	return nil
}

// entries rewrites a map with the user's keys, giving each value to value.
func (w *rewriter) entries(s *shape, value func(*shape) error) error {
	if err := w.enter(); err != nil {
		return err
	}
	w.out = append(w.out, '{')
	w.path = append(w.path, segment{})
	for i := 0; ; i++ {
		more, err := w.next(i == 0, '}')
		if err != nil {
			return err
		}
		if !more {
			break
		}
		key, err := w.key()
		if err != nil {
			return err
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(append(w.out, key...), ':')
		w.path[len(w.path)-1].key = key
		if err := value(s.elem); err != nil {
			return err
		}
	}
	w.path = w.path[:len(w.path)-1]
	w.out = append(w.out, '}')
	return nil
}

// write copies a value of an answer.
func (w *rewriter) write(s *shape) error {
	switch c := w.space(); {
	case s == nil:
	case s.kind == object && c == '{':
		return w.writeObject(s)
	case s.kind == list && c == '[':
		return w.elements(s, w.write)
	case s.kind == dict && c == '{':
		return w.entries(s, w.write)
	}
	return w.copyValue()
}

func (w *rewriter) writeObject(s *shape) error {
	if err := w.enter(); err != nil {
		return err
	}
	w.out = append(w.out, '{')
	empty := true
	for first := true; ; first = false {
		more, err := w.next(first, '}')
		if err != nil {
			return err
		}
		if !more {
			w.out = append(w.out, '}')
			return nil
		}
		key, err := w.key()
		if err != nil {
			return err
		}
		index, known := s.lookup[string(key[1:len(key)-1])]
		if known && s.fields[index].presence != kept {
			if err := w.skip(); err != nil {
				return err
			}
			continue
		}
		if !empty {
			w.out = append(w.out, ',')
		}
		empty = false
		if !known {
			w.out = append(append(w.out, key...), ':')
			if err := w.copyValue(); err != nil {
				return err
			}
			continue
		}
		f := &s.fields[index]
		w.name(f.spelled(w.camel))
		if f.empty != "" && w.space() == 'n' {
			w.out = append(w.out, f.empty...)
			err = w.skip()
		} else {
			err = w.write(f.shape)
		}
		if err != nil {
			return err
		}
	}
}

func (w *rewriter) name(name string) {
	w.out = append(w.out, '"')
	w.out = append(w.out, name...)
	w.out = append(w.out, '"', ':')
}

// read copies a value of a request. What has a shape must have its JSON type.
func (w *rewriter) read(s *shape) error {
	if s == nil {
		return w.copyValue()
	}
	switch c := w.space(); s.kind {
	case object:
		if c == '{' {
			return w.readObject(s)
		}
		w.faultHere("", "expected object")
	case dict:
		if c == '{' {
			return w.entries(s, w.read)
		}
		w.faultHere("", "expected object")
	case list:
		if c == '[' {
			return w.elements(s, w.read)
		}
		w.faultHere("", "expected array")
	}
	return w.copyValue()
}

// ticks marks the fields of an object that were seen.
type ticks [maxFields / 64]uint64

func (t *ticks) has(i int) bool { return t[i/64]&(1<<(i%64)) != 0 }
func (t *ticks) set(i int)      { t[i/64] |= 1 << (i % 64) }

func (w *rewriter) readObject(s *shape) error {
	if err := w.enter(); err != nil {
		return err
	}
	var seen ticks
	w.out = append(w.out, '{')
	start := len(w.out)
	for first := true; ; first = false {
		more, err := w.next(first, '}')
		if err != nil {
			return err
		}
		if !more {
			break
		}
		key, err := w.key()
		if err != nil {
			return err
		}
		if err := w.readField(s, unquote(key), &seen, start); err != nil {
			return err
		}
	}
	if s.fills {
		w.fill(s, &seen, start)
	}
	w.out = append(w.out, '}')
	return nil
}

// unknownField is the fault of a field that no input has.
const unknownField = "is not a known field"

// readField copies the field of an object that was named by key, or notes what
// is wrong with it and moves on.
func (w *rewriter) readField(s *shape, key []byte, seen *ticks, start int) error {
	index, known := s.lookup[string(key)]
	if !known {
		w.faultHere(string(key), unknownField)
		return w.skip()
	}
	f := &s.fields[index]
	repeated := seen.has(index)
	seen.set(index)
	switch {
	case f.presence == ignored:
		return w.skip()
	case repeated:
		w.faultHere(f.spelled(w.camel), "is given more than once")
		return w.skip()
	case w.space() == 'n' && !f.nullable:
		w.faultHere(f.spelled(w.camel), "must not be null")
		return w.skip()
	}
	w.comma(start)
	w.name(f.name)
	mark := len(w.out)
	if w.space() == 'n' { // allowed here: it clears the field
		return w.copyValue()
	}
	w.path = append(w.path, segment{field: f})
	err := w.read(f.shape)
	if err == nil {
		var fits bool
		if w.out, fits = f.integer.plain(w.out, mark); !fits {
			w.faultHere("", "is out of range")
		} else if !f.check.accepts(w.out[mark:]) {
			f.check.check(w.out[mark:], w.verdict, w.faultHere)
		}
	}
	w.path = w.path[:len(w.path)-1]
	return err
}

// fill looks at the fields that were not there: required ones are faults,
// others take their default.
func (w *rewriter) fill(s *shape, seen *ticks, start int) {
	for i := range s.fields {
		f := &s.fields[i]
		switch {
		case seen.has(i):
		case f.fallback != nil:
			w.comma(start)
			w.name(f.name)
			w.out = append(w.out, f.fallback...)
		case f.required:
			w.faultHere(f.spelled(w.camel), "is required")
		}
	}
}

// comma separates a field from the one before it in the object that began at start.
func (w *rewriter) comma(start int) {
	if len(w.out) > start {
		w.out = append(w.out, ',')
	}
}

// A hostile body must not turn into an answer larger than itself: the list of
// faults and the names it repeats are bounded.
const (
	maxFaults    = 100
	maxFaultName = 100 // bytes
)

// faultHere notes what is wrong at or below the value being read.
func (w *rewriter) faultHere(rest, message string) {
	switch {
	case len(w.faults) > maxFaults:
		return
	case len(w.faults) == maxFaults:
		w.faults = append(w.faults, fieldFault("body", "has more faults than are listed"))
		return
	}
	var path string
	for _, s := range w.path {
		switch {
		case s.field != nil:
			path = below(path, s.field.spelled(w.camel))
		case s.key != nil:
			path = below(path, shortened(string(unquote(s.key))))
		default:
			path += "[" + strconv.Itoa(s.index) + "]"
		}
	}
	w.faults = append(w.faults, fieldFault(below(path, shortened(rest)), message))
}

func shortened(name string) string {
	if len(name) <= maxFaultName {
		return name
	}
	return strings.ToValidUTF8(name[:maxFaultName], "") + "…"
}
