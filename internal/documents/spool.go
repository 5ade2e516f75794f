package documents

import (
	"archive/zip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
)

// anywhere is a file that can be read at any place.
type anywhere interface {
	io.ReaderAt
	io.Seeker
}

// spooled makes a file readable at any place, by way of a temporary file where
// it is not already. done must be called.
func (x *Extractor) spooled(ctx context.Context, r io.Reader) (at io.ReaderAt, size int64, done func() error, err error) {
	if a, ok := r.(anywhere); ok {
		if size, err := a.Seek(0, io.SeekEnd); err == nil {
			if size > x.cfg.Limits.Bytes {
				return nil, 0, nil, exceeded("bytes", x.cfg.Limits.Bytes)
			}
			return a, size, func() error { return nil }, nil
		}
	}
	f, err := os.CreateTemp(x.cfg.Temp, "document-*")
	if err != nil {
		return nil, 0, nil, fmt.Errorf("documents: %w", err)
	}
	// Without a name it goes away with the process, however that ends.
	if err := os.Remove(f.Name()); err != nil {
		return nil, 0, nil, errors.Join(fmt.Errorf("documents: %w", err), f.Close())
	}
	size, err = io.Copy(f, bound(ctx, r, x.cfg.Limits.Bytes, "bytes"))
	if err != nil {
		return nil, 0, nil, errors.Join(err, f.Close())
	}
	return f, size, f.Close, nil
}

// maxEntries bounds the files of an archive.
const maxEntries = 10_000

// archive is a zip file whose files are read within one common limit.
type archive struct {
	ctx   context.Context
	files map[string]*zip.File
	left  int64
	limit int64
	depth int
	token int
}

// compound is how files begin in which Office keeps what it has encrypted, and kept
// everything before 2007.
const compound = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// unzipped opens an archive (DOCX, XLSX). done must be called.
func (x *Extractor) unzipped(ctx context.Context, r io.Reader) (a *archive, done func() error, err error) {
	at, size, done, err := x.spooled(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	var head [8]byte
	if n, _ := at.ReadAt(head[:], 0); string(head[:n]) == compound {
		return nil, nil, errors.Join(malformed("the file opens with a password, or is of Office before 2007; neither can be read"), done())
	}
	z, err := zip.NewReader(at, size)
	if err != nil {
		return nil, nil, errors.Join(malformed("the file is not an archive, which files of this format are").Because(err), done())
	}
	if len(z.File) > maxEntries {
		return nil, nil, errors.Join(exceeded("files in it", maxEntries), done())
	}
	a = &archive{ctx: ctx, files: map[string]*zip.File{}, left: x.cfg.Limits.Expanded, limit: x.cfg.Limits.Expanded,
		depth: 4 * x.cfg.Limits.Depth, token: max(x.cfg.Limits.Record, 1<<20)}
	for _, f := range z.File {
		if f.Flags&1 != 0 {
			return nil, nil, errors.Join(malformed("the file is encrypted"), done())
		}
		a.files[strings.TrimPrefix(path.Clean("/"+f.Name), "/")] = f
	}
	return a, done, nil
}

// Read implements io.Reader for the file that is open: it counts what all files unpack to.
type unpacked struct {
	a *archive
	r io.Reader
	n int // bytes since the last < or >
}

func (u *unpacked) Read(p []byte) (int, error) {
	if err := u.a.ctx.Err(); err != nil {
		return 0, err
	}
	if u.a.left < 0 {
		return 0, exceeded("bytes when it is unpacked", u.a.limit)
	}
	n, err := u.r.Read(p)
	if u.a.left -= int64(n); u.a.left < 0 {
		return 0, exceeded("bytes when it is unpacked", u.a.limit)
	}
	// The decoder of XML gathers a text until the next tag.
	for _, c := range p[:n] {
		if u.n++; c == '<' || c == '>' {
			u.n = 0
		}
		if u.n > u.a.token {
			return 0, exceeded("bytes in one tag or text", u.a.token)
		}
	}
	return n, err
}

// xml goes through the elements of a file of the archive. start and end get
// the local names; see is called with text.
type handler struct {
	start func(e xml.StartElement) error
	end   func(name string) error
	text  func(s string) error
}

// has tells whether a file is in the archive.
func (a *archive) has(name string) bool { return a.files[name] != nil }

// walk reads an XML file of the archive.
func (a *archive) walk(name string, h handler) error {
	f := a.files[name]
	if f == nil {
		return malformed("the file lacks %s, which files of this format have", name)
	}
	r, err := f.Open()
	if err != nil {
		return malformed("%s in the file cannot be unpacked", name).Because(err)
	}
	err = a.tokens(xml.NewDecoder(&unpacked{a: a, r: r}), h)
	if _, ours := errors.AsType[*xml.SyntaxError](err); ours || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) {
		err = malformed("%s in the file is damaged: %v", name, err)
	}
	return errors.Join(err, r.Close())
}

func (a *archive) tokens(dec *xml.Decoder, h handler) error {
	for depth := 0; ; {
		token, err := dec.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if depth++; depth > a.depth {
				return exceeded("levels of XML", a.depth)
			}
			err = h.start(t)
		case xml.EndElement:
			depth--
			if h.end != nil {
				err = h.end(t.Name.Local)
			}
		case xml.CharData:
			if h.text != nil {
				err = h.text(string(t))
			}
		}
		if err != nil {
			return err
		}
	}
}

// attr returns an attribute by its local name.
func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
