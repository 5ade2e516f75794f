package documents

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// json reads an array of objects, or one object, which is one record.
func (x *Extractor) json(ctx context.Context, r io.Reader, emit emitRow) error {
	in, err := x.decoded(ctx, r)
	if err != nil {
		return err
	}
	first, err := firstByte(in)
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	err = x.elements(in, first, emit)
	if err == io.EOF { // the decoder's word for a text that stops between two tokens
		return io.ErrUnexpectedEOF
	}
	return err
}

// elements reads the records of a JSON text.
func (x *Extractor) elements(in io.Reader, first byte, emit emitRow) error {
	counted := newRecordReader(in, x.cfg.Limits.Record)
	dec := json.NewDecoder(counted)
	switch first {
	case '[':
		if _, err := dec.Token(); err != nil {
			return err
		}
		for dec.More() {
			if err := x.element(dec, counted, emit); err != nil {
				return err
			}
		}
		if _, err := dec.Token(); err != nil {
			return err
		}
	case '{':
		if err := x.element(dec, counted, emit); err != nil {
			return err
		}
	default:
		return malformed("a JSON file with records is an array of objects, or an object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return malformed("the JSON file goes on after its end")
	}
	return nil
}

// firstByte skips white space and looks at what comes.
func firstByte(in *bufio.Reader) (byte, error) {
	for {
		c, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c, in.UnreadByte()
		}
	}
}

// element reads the next record of a file.
func (x *Extractor) element(dec *json.Decoder, counted *recordReader, emit emitRow) error {
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return err
	}
	end := dec.InputOffset()
	line := counted.lineAt(end - int64(len(raw)))
	counted.end(end)
	if len(raw) > x.cfg.Limits.Record {
		return exceeded("bytes in one record", x.cfg.Limits.Record)
	}
	return emit(x.object(line, raw))
}

// jsonl reads a file of lines with an object each. Empty lines are none.
func (x *Extractor) jsonl(ctx context.Context, r io.Reader, emit emitRow) error {
	in, err := x.decoded(ctx, r)
	if err != nil {
		return err
	}
	var long []byte // a line that is larger than the buffer, so far
	line := int64(1)
	return eachLine(in, func(part string, whole bool) error {
		if len(long)+len(part) > x.cfg.Limits.Record {
			return exceeded("bytes in one record", x.cfg.Limits.Record)
		}
		raw := []byte(part)
		if long = append(long, raw...); !whole {
			return nil
		}
		raw, at := bytes.TrimSpace(long), line
		long = nil
		line++
		if len(raw) == 0 {
			return nil
		}
		if !json.Valid(raw) {
			return emit(Row{Line: at}, &Fault{Line: at, Message: "is not valid JSON"})
		}
		return emit(x.object(at, raw))
	})
}

// object makes a record of a valid JSON text.
func (x *Extractor) object(line int64, raw json.RawMessage) (Row, error) {
	row := Row{Line: line}
	if raw[0] != '{' {
		return row, &Fault{Line: line, Message: "is not an object"}
	}
	if depth(raw) > x.cfg.Limits.Depth {
		return row, &Fault{Line: line, Message: fmt.Sprintf("nests deeper than %d", x.cfg.Limits.Depth)}
	}
	err := members(raw, func(name string, value json.RawMessage) error {
		v, err := scalar(value)
		row.Fields = append(row.Fields, Field{name, v})
		return err
	})
	if err != nil {
		return row, &Fault{Line: line, Message: "is not valid JSON: " + err.Error()}
	}
	return row, nil
}

// depth tells how deep a valid JSON text nests.
func depth(raw []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}

// members shows the members of an object in their order.
func members(raw json.RawMessage, see func(name string, value json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return err
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return errors.New("a member has no name")
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if err := see(name, value); err != nil {
			return err
		}
	}
	return nil
}

// scalar decodes what is not an object or an array.
func scalar(raw json.RawMessage) (any, error) {
	switch raw[0] {
	case '{', '[':
		return raw, nil
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case 't', 'f':
		return raw[0] == 't', nil
	case 'n':
		return nil, nil
	}
	return json.Number(raw), nil
}
