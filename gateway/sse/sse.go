// Package sse reads and writes server-sent events (the "text/event-stream"
// format of the HTML standard), with the bounds a gateway needs between two
// parties it does not trust.
package sse

import (
	"bytes"
	"errors"
	"io"
)

// ErrTooLong: a line or the data of one event is over the reader's limit.
var ErrTooLong = errors.New("event stream: event is too long")

// DefaultLimit bounds a line, and the data of one event, in bytes.
const DefaultLimit = 1 << 20

// Event is one event of a stream.
type Event struct {
	Name string // "event:" field, "" when absent
	Data []byte // "data:" lines joined with line feeds; valid until the next call of Next
}

// Reader cuts a byte stream into events. It is not safe for concurrent use.
type Reader struct {
	src    io.Reader
	limit  int
	buf    []byte // unread bytes are buf[start:end]
	start  int
	end    int
	data   []byte
	err    error // what src ended with, once buf is used up
	skipLF bool  // the last line ended with CR: an LF right after belongs to it
	begun  bool  // the byte order mark has been looked for
}

// NewReader returns a reader over src; limit 0 means DefaultLimit.
func NewReader(src io.Reader, limit int) *Reader {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Reader{src: src, limit: limit, buf: make([]byte, 4096)}
}

// Next returns the next event that carries data. At the end it returns the
// source's error, io.EOF for a clean one. Unlike a browser it also delivers a
// last event that is not closed by a blank line: some providers end so, and a
// cut-off one is recognised by its content. Comments, ids and retry hints are
// skipped.
func (r *Reader) Next() (Event, error) {
	r.data = r.data[:0]
	var name string
	var seen bool
	for {
		line, err := r.line()
		if err != nil {
			if errors.Is(err, io.EOF) && seen {
				return Event{Name: name, Data: r.data}, nil
			}
			return Event{}, err
		}
		if len(line) == 0 {
			if seen {
				return Event{Name: name, Data: r.data}, nil
			}
			name = ""
			continue
		}
		field, value, _ := bytes.Cut(line, []byte{':'})
		value = bytes.TrimPrefix(value, []byte{' '})
		switch string(field) {
		case "data":
			if len(r.data)+len(value)+1 > r.limit {
				return Event{}, ErrTooLong
			}
			if seen {
				r.data = append(r.data, '\n')
			}
			r.data = append(r.data, value...)
			seen = true
		case "event":
			name = string(value)
		}
	}
}

// line returns the next line without its ending (LF, CR or CR LF). The last
// line may have no ending.
func (r *Reader) line() ([]byte, error) {
	scanned := 0 // bytes of buf[start:end] known to hold no line ending
	for {
		if r.skipLF && r.start < r.end {
			if r.buf[r.start] == '\n' {
				r.start++
			}
			r.skipLF = false
		}
		if i := bytes.IndexAny(r.buf[r.start+scanned:r.end], "\r\n"); i >= 0 {
			i += r.start + scanned
			line := r.buf[r.start:i]
			// A CR ends the line at once: waiting for a possible LF would hold
			// the event back until the provider says something more.
			r.skipLF = r.buf[i] == '\r'
			r.start = i + 1
			return r.unmark(line), nil
		}
		scanned = r.end - r.start
		if scanned > r.limit {
			return nil, ErrTooLong
		}
		if r.err != nil {
			if scanned > 0 && errors.Is(r.err, io.EOF) {
				line := r.buf[r.start:r.end]
				r.start = r.end
				return r.unmark(line), nil
			}
			return nil, r.err
		}
		r.fill()
	}
}

// unmark removes a byte order mark from the very first line.
func (r *Reader) unmark(line []byte) []byte {
	if r.begun {
		return line
	}
	r.begun = true
	return bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
}

// fill reads once, making room by moving or growing.
func (r *Reader) fill() {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := r.src.Read(r.buf[r.end:])
	r.end += n
	r.err = err
}

// AppendData appends an event with only data to dst. Line feeds in data become
// further data lines, which a reader joins again.
func AppendData(dst, data []byte) []byte {
	for len(data) > 0 {
		line, rest, more := bytes.Cut(data, []byte{'\n'})
		dst = append(append(append(dst, "data: "...), bytes.TrimSuffix(line, []byte{'\r'})...), '\n')
		if data = rest; more && len(rest) == 0 {
			dst = append(dst, "data: \n"...)
		}
	}
	return append(dst, '\n')
}
