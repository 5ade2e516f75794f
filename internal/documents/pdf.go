package documents

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"

	"strata/domain"
)

// pdfMessage is what the child process says, one JSON text per line.
type pdfMessage struct {
	Page int    `json:"page,omitempty"` // begins a page with its text
	Text string `json:"text,omitempty"`
	// The last message: the file was read, or what is wrong with it.
	Done  bool   `json:"done,omitempty"`
	Fault string `json:"fault,omitempty"`
	Large string `json:"large,omitempty"` // what there is too much of
	Limit int64  `json:"limit,omitempty"`
}

// pdfTask is the first line of what the child process is told.
type pdfTask struct {
	Size     int64 `json:"size"`
	Text     int64 `json:"text"`
	Expanded int64 `json:"expanded"`
	Depth    int   `json:"depth"`
}

// pdf has a child process read the file. Whatever it does, this side ends: in
// time, with at most one page in memory.
func (x *Extractor) pdf(ctx context.Context, r io.Reader, w *writer) error {
	at, size, done, err := x.spooled(ctx, r)
	if err != nil {
		return err
	}
	if file, ok := at.(*os.File); ok {
		return errors.Join(x.pdfChild(ctx, file, size, w), done())
	}
	return errors.Join(x.pdfCopied(ctx, at, size, w), done())
}

// pdfCommand is the child process, which is given the file itself.
func (x *Extractor) pdfCommand(ctx context.Context, file *os.File, size int64) (*exec.Cmd, error) {
	command := x.cfg.PDFCommand
	if len(command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("documents: %w", err)
		}
		command = []string{self, ChildCommand}
	}
	task, err := json.Marshal(pdfTask{Size: size, Text: x.cfg.Limits.Text, Expanded: x.cfg.Limits.Expanded, Depth: x.cfg.Limits.Depth})
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, command[0], append(slices.Clone(command[1:]), string(task))...)
	cmd.ExtraFiles = []*os.File{file}
	cmd.Env = []string{} // it needs to know nothing
	return cmd, nil
}

func (x *Extractor) pdfChild(ctx context.Context, file *os.File, size int64, w *writer) error {
	if err := looksLikePDF(file); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, x.cfg.Limits.Time)
	defer cancel()
	cmd, err := x.pdfCommand(limited, file, size)
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("documents: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("documents: start the PDF reader: %w", err)
	}
	said, readErr := x.pdfMessages(out, w)
	if readErr != nil {
		cancel() // nothing more is wanted of it
	}
	waitErr := cmd.Wait()
	switch {
	case readErr != nil:
		return readErr
	case said:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return domain.Errorf(domain.CodePayloadTooLarge, "the PDF file takes longer than %v to read", x.cfg.Limits.Time).With("limit", x.cfg.Limits.Time.String())
	}
	return malformed("the PDF file cannot be read: its reader failed").Because(waitErr)
}

// pdfCopied reads a file that is in memory only.
func (x *Extractor) pdfCopied(ctx context.Context, at io.ReaderAt, size int64, w *writer) error {
	type reader struct{ io.Reader } // hides that it can be read anywhere
	return x.pdf(ctx, reader{io.NewSectionReader(at, 0, size)}, w)
}

func looksLikePDF(at io.ReaderAt) error {
	head := make([]byte, 1024)
	n, err := at.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if !bytes.Contains(head[:n], []byte("%PDF-")) {
		return malformed("the file is not a PDF file: it does not begin as one")
	}
	return nil
}

// pdfMessages takes what the child process says. said tells whether it came to
// its end.
func (x *Extractor) pdfMessages(out io.Reader, w *writer) (said bool, err error) {
	in := bufio.NewScanner(out)
	in.Buffer(make([]byte, 64<<10), int(min(x.cfg.Limits.Text*6+1024, 1<<30))) // JSON may spend six bytes on one
	words, pages := false, 0
	for in.Scan() {
		var m pdfMessage
		if err := json.Unmarshal(in.Bytes(), &m); err != nil {
			return false, nil // it died while it wrote
		}
		switch {
		case m.Large != "":
			return true, exceeded(m.Large, m.Limit)
		case m.Fault != "":
			return true, malformed("%s", m.Fault)
		case m.Done:
			if !words && pages > 0 {
				return true, malformed("the PDF file holds no text, only pictures of it; it would have to be recognised first")
			}
			return true, nil
		}
		pages++
		words = words || strings.TrimSpace(m.Text) != ""
		if err := w.onPage(m.Page); err != nil {
			return true, err
		}
		for line := range strings.SplitSeq(m.Text, "\n") {
			if err := w.line(line); err != nil {
				return true, err
			}
		}
	}
	return false, nil
}
