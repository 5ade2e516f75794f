package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"strata/domain"
	"strata/streams"
)

// Fault tells what is wrong with a dump, and where.
type Fault struct {
	Line   int // from 1
	Reason string
}

// Error implements error.
func (f *Fault) Error() string { return fmt.Sprintf("line %d of the dump: %s", f.Line, f.Reason) }

const (
	formatVersion = 1

	// A line is {"sum":"xxxxxxxx",…}: the sum is at a fixed place.
	sumStart = `{"sum":"`
	sumEnd   = `",`
	sumSize  = len(sumStart) + 8 + len(sumEnd)

	// maxLine bounds the memory that a line can ask for. The largest event that
	// a log can be configured to take, in base64, is shorter.
	maxLine = 256 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type header struct {
	Version int `json:"strata_dump"`
}

type trailer struct {
	Events uint64 `json:"events"`
	SHA256 string `json:"sha256"`
}

// sums are the running checksums of a dump.
type sums struct {
	crc uint32
	sha hash.Hash
}

func newSums() sums { return sums{sha: sha256.New()} }

// writer writes lines.
type writer struct {
	out  io.Writer
	sums sums
	line []byte
	n    uint64 // events
}

func newWriter(out io.Writer) (*writer, error) {
	w := &writer{out: out, sums: newSums()}
	return w, w.put(fmt.Appendf(nil, `{"strata_dump":%d}`, formatVersion))
}

func (w *writer) event(e *streams.Recorded) (err error) {
	if w.line, err = appendEvent(w.line[:0], e); err != nil {
		return err
	}
	w.n++
	return w.put(w.line)
}

// close writes the trailer.
func (w *writer) close() error {
	return w.put(fmt.Appendf(nil, `{"events":%d,"sha256":"%x"}`, w.n, w.sums.sha.Sum(nil)))
}

// put writes a JSON object as a line.
func (w *writer) put(object []byte) error {
	w.sums.crc = crc32.Update(w.sums.crc, castagnoli, object[1:])
	line := fmt.Appendf(make([]byte, 0, sumSize+len(object)+1), "%s%08x%s", sumStart, w.sums.crc, sumEnd)
	line = append(append(line, object[1:]...), '\n')
	w.sums.sha.Write(line)
	_, err := w.out.Write(line)
	return err
}

// Reader reads the events of a dump, and refuses one that was cut or changed
// with a [*Fault] that names the line.
type Reader struct {
	in   *bufio.Reader
	sums sums
	line int
	n    uint64
	last domain.Position
	done bool
}

// NewReader begins to read a dump.
func NewReader(in io.Reader) (*Reader, error) {
	r := &Reader{in: bufio.NewReaderSize(in, 1<<20), sums: newSums()}
	object, _, err := r.next()
	if err != nil {
		return nil, err
	}
	var h header
	if err := decodeStrictly(object, &h); err != nil {
		return nil, r.fault("not the header of a dump")
	}
	if h.Version != formatVersion {
		return nil, r.fault("format %d, this program reads %d", h.Version, formatVersion)
	}
	return r, nil
}

// Next returns the next event, and io.EOF behind the last one of a dump that is
// whole.
func (r *Reader) Next() (e streams.Recorded, err error) {
	if r.done {
		return e, io.EOF
	}
	object, before, err := r.next()
	if err != nil {
		return e, err
	}
	if bytes.HasPrefix(object, []byte(`{"events":`)) {
		return e, r.end(object, before)
	}
	if e, err = decodeEvent(object); err != nil {
		return e, r.fault("%v", err)
	}
	if e.Position <= r.last {
		return e, r.fault("position %d behind %d", e.Position, r.last)
	}
	r.last = e.Position
	r.n++
	return e, nil
}

// end checks the trailer; before is the SHA-256 of everything in front of it.
func (r *Reader) end(object, before []byte) error {
	var t trailer
	if err := decodeStrictly(object, &t); err != nil {
		return r.fault("%v", err)
	}
	if t.Events != r.n {
		return r.fault("the dump has %d events, its trailer says %d", r.n, t.Events)
	}
	if t.SHA256 != hex.EncodeToString(before) {
		return r.fault("the SHA-256 is not that of the lines before: something in them was changed")
	}
	if _, err := r.in.ReadByte(); !errors.Is(err, io.EOF) {
		r.line++
		return r.fault("something follows the trailer")
	}
	r.done = true
	return io.EOF
}

func (r *Reader) fault(format string, args ...any) error {
	return &Fault{Line: r.line, Reason: fmt.Sprintf(format, args...)}
}

// next reads a line and checks its sum. before is the SHA-256 of all lines in
// front of it, when it may be the trailer.
func (r *Reader) next() (object, before []byte, err error) {
	r.line++
	line, err := r.read()
	if err != nil {
		return nil, nil, err
	}
	if len(line) < sumSize || string(line[:len(sumStart)]) != sumStart || string(line[sumSize-len(sumEnd):sumSize]) != sumEnd {
		return nil, nil, r.fault("it does not begin with a sum")
	}
	body := line[sumSize:]
	r.sums.crc = crc32.Update(r.sums.crc, castagnoli, body)
	if string(line[len(sumStart):len(sumStart)+8]) != fmt.Sprintf("%08x", r.sums.crc) {
		return nil, nil, r.fault("the sum does not match: it was changed, or the line before it is missing")
	}
	if bytes.HasPrefix(body, []byte(`"events":`)) {
		before = r.sums.sha.Sum(nil)
	}
	r.sums.sha.Write(line)
	r.sums.sha.Write([]byte{'\n'})
	return append([]byte{'{'}, body...), before, nil
}

// read reads a line without its end.
func (r *Reader) read() ([]byte, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case len(line) > maxLine:
			return nil, r.fault("longer than %d bytes", maxLine)
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return nil, r.fault("the dump ends here, without its trailer")
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, r.fault("the compressed dump ends here: it was cut short")
		default:
			return nil, fmt.Errorf("line %d of the dump: %w", r.line, err)
		}
	}
}
