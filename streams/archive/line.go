package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// event is a line of the dump without its sum.
type event struct {
	Position  domain.Position `json:"position"`
	Stream    domain.StreamID `json:"stream"`
	Revision  domain.Revision `json:"revision"`
	ID        uuid.UUID       `json:"id"`
	Type      string          `json:"type"`
	Workspace string          `json:"workspace,omitempty"`
	At        time.Time       `json:"at"`
	Data      json.RawMessage `json:"data,omitempty"`
	Data64    []byte          `json:"data64,omitempty"`
	Meta      json.RawMessage `json:"meta,omitempty"`
	Meta64    []byte          `json:"meta64,omitempty"`
}

// appendEvent writes an event behind b as a JSON object that encodes to the same
// bytes whenever it is written.
func appendEvent(b []byte, e *streams.Recorded) ([]byte, error) {
	for _, name := range []string{string(e.Stream), e.Type, e.Workspace} {
		if !utf8.ValidString(name) {
			return nil, fmt.Errorf("the event at position %d cannot be written as text: %q is not UTF-8", e.Position, name)
		}
	}
	b = append(b, `{"position":`...)
	b = strconv.AppendUint(b, uint64(e.Position), 10)
	b = appendText(append(b, `,"stream":`...), string(e.Stream))
	b = append(b, `,"revision":`...)
	b = strconv.AppendInt(b, int64(e.Revision), 10)
	b = appendText(append(b, `,"id":`...), e.ID.String())
	b = appendText(append(b, `,"type":`...), e.Type)
	if e.Workspace != "" {
		b = appendText(append(b, `,"workspace":`...), e.Workspace)
	}
	b = appendText(append(b, `,"at":`...), e.At.UTC().Format(time.RFC3339Nano))
	b = appendPayload(b, "data", e.Data)
	b = appendPayload(b, "meta", e.Meta)
	return append(b, '}'), nil
}

func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // a string always encodes
		panic(err)
	}
	return append(b, text...)
}

func appendPayload(b []byte, name string, p []byte) []byte {
	switch {
	case len(p) == 0:
		return b
	case asItIs(p):
		return append(append(append(append(b, `,"`...), name...), `":`...), p...)
	default:
		text, err := json.Marshal(p)
		if err != nil { // bytes always encode
			panic(err)
		}
		return append(append(append(append(b, `,"`...), name...), `64":`...), text...)
	}
}

// asItIs tells whether a payload comes back byte for byte when it stands in a
// line as JSON.
func asItIs(p []byte) bool {
	return json.Valid(p) && utf8.Valid(p) && !bytes.ContainsAny(p, "\n\r") && len(bytes.TrimSpace(p)) == len(p)
}

// decodeEvent reads what appendEvent wrote.
func decodeEvent(text []byte) (r streams.Recorded, err error) {
	var e event
	if err := decodeStrictly(text, &e); err != nil {
		return r, err
	}
	data, err := payload("data", e.Data, e.Data64)
	if err != nil {
		return r, err
	}
	meta, err := payload("meta", e.Meta, e.Meta64)
	if err != nil {
		return r, err
	}
	switch {
	case e.Position == 0:
		return r, errors.New("no position")
	case e.Stream == "":
		return r, errors.New("no stream")
	case e.Revision < 0:
		return r, errors.New("no revision")
	case e.ID == uuid.Nil:
		return r, errors.New("no id")
	case e.Type == "":
		return r, errors.New("no type")
	case e.At.IsZero() || e.At.Nanosecond()%1000 != 0:
		return r, errors.New("no time in microseconds")
	}
	return streams.Recorded{
		Proposed: streams.Proposed{ID: e.ID, Type: e.Type, Workspace: e.Workspace, Data: data, Meta: meta},
		Stream:   e.Stream, Revision: e.Revision, Position: e.Position, At: e.At.UTC(),
	}, nil
}

func payload(name string, raw json.RawMessage, binary []byte) ([]byte, error) {
	if raw != nil && binary != nil {
		return nil, fmt.Errorf("%s and %s64", name, name)
	}
	if raw != nil {
		return raw, nil
	}
	return binary, nil
}

// decodeStrictly reads one JSON object with no unknown key and nothing behind it.
func decodeStrictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}
