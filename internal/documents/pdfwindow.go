package documents

import (
	"bytes"
	"errors"
	"io"
)

// pdfHeader is the beginning that the library knows.
const pdfHeader = "%PDF-1.7\n"

// pdfWindow is the part of a file that is the PDF. Files have bytes of a
// transport before it and after it, or a version that reads like those before
// it, and the library would refuse them.
type pdfWindow struct {
	r     io.ReaderAt
	start int64
	size  int64
}

// windowOf finds the PDF in a file.
func windowOf(r io.ReaderAt, size int64) (*pdfWindow, error) {
	head, tail := make([]byte, 1024), make([]byte, min(size, 4096))
	n, err := r.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return nil, err
	}
	start := bytes.Index(head[:n], []byte("%PDF-"))
	if start < 0 {
		return nil, errors.New("it does not begin as one")
	}
	if _, err := r.ReadAt(tail, size-int64(len(tail))); err != nil && err != io.EOF {
		return nil, err
	}
	end := bytes.LastIndex(tail, []byte("%%EOF"))
	if end < 0 {
		return nil, errors.New("its end is missing")
	}
	return &pdfWindow{r: r, start: int64(start), size: size - int64(len(tail)) + int64(end) + 5 - int64(start)}, nil
}

// ReadAt implements io.ReaderAt.
func (w *pdfWindow) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= w.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > w.size-off
	if short {
		p = p[:w.size-off]
	}
	n, err := w.r.ReadAt(p, w.start+off)
	if off < int64(len(pdfHeader)) {
		copy(p[:n], pdfHeader[off:])
	}
	if err == nil && short {
		err = io.EOF
	}
	return n, err
}
