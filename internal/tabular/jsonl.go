package tabular

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"
)

// jsonRows reads one JSON object per line. A column is a key that some object
// has; what is nested in it stays JSON text.
type jsonRows struct {
	text  *text
	line  int
	names []string
	place map[string]int
	row   Row
	buf   []byte
}

func newJSONL(t *text) *jsonRows { return &jsonRows{text: t, place: map[string]int{}} }

func (j *jsonRows) columns() []string { return j.names }

func (j *jsonRows) next() (Row, error) {
	for {
		line, err := j.readLine()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			continue
		}
		clear(j.row)
		if err := j.object(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", j.line, err)
		}
		return j.row, nil
	}
}

// readLine is the next line without its end and the blanks around it.
func (j *jsonRows) readLine() ([]byte, error) {
	j.buf = j.buf[:0]
	for {
		part, err := j.text.from.ReadSlice('\n')
		j.buf = append(j.buf, part...)
		switch {
		case err == nil, errors.Is(err, io.EOF) && len(j.buf) > 0:
			j.line++
			return bytes.TrimSpace(j.buf), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(j.buf) > MaxRowBytes:
			return nil, fmt.Errorf("line %d: a row is longer than %d bytes", j.line+1, MaxRowBytes)
		}
	}
}

var errNoObject = errors.New("is not a JSON object")

// object reads the members of one line, in their order: new keys become columns
// in the order they are met.
func (j *jsonRows) object(line []byte) error {
	if !utf8.Valid(line) {
		return errors.New("is not text in UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return errNoObject
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return errNoObject
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return errNoObject
		}
		v, err := parseJSON(raw)
		if err != nil {
			return err
		}
		name, _ := key.(string)
		if err := j.set(name, v); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil { // the closing brace
		return errNoObject
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("holds more than one JSON object")
	}
	return nil
}

func (j *jsonRows) set(name string, v Value) error {
	at, known := j.place[name]
	if !known {
		if at = len(j.names); at == MaxColumns {
			return fmt.Errorf("the table has more than %d columns", MaxColumns)
		}
		j.place[name] = at
		j.names, j.row = append(j.names, name), append(j.row, Value{})
	}
	j.row[at] = v
	return nil
}

// parseJSON types a JSON value. Texts are texts, whatever digits they hold, but
// for moments, which JSON has no other way to write.
func parseJSON(raw json.RawMessage) (Value, error) {
	switch raw[0] {
	case 'n':
		return Value{}, nil
	case 't', 'f':
		return BooleanOf(raw[0] == 't'), nil
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return Value{}, err
		}
		if t, ok := parseTime(s); ok {
			return Value{kind: DateTime, at: t, text: s}, nil
		}
		return StringOf(s), nil
	case '{', '[':
		return StringOf(string(raw)), nil
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return IntegerOf(n), nil
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		return Value{}, fmt.Errorf("the number %.40s is too large", raw)
	}
	return NumberOf(x), nil
}
