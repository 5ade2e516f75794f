package documents

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/ledongthuc/pdf"
)

// childMemory is what the child process may allocate.
const childMemory = 512 << 20

// pdfFile is the descriptor the child process is given the file by.
const pdfFile = 3

// ChildCommand is the hidden subcommand whose body is [ChildMain].
const ChildCommand = "pdf-child"

// ChildMain is the child process that reads one PDF file. The task is its last
// argument and the file its descriptor 3; what it finds goes to standard
// output. It bounds its own memory; its parent bounds its time. It returns the
// exit code.
func ChildMain(args []string) int {
	if err := childMain(args); err != nil {
		fmt.Fprintln(os.Stderr, ChildCommand+":", err)
		return 1
	}
	return 0
}

func childMain(args []string) error {
	if len(args) != 1 {
		return errors.New("this is a part of the server and not to be called")
	}
	if err := limitMemory(childMemory); err != nil {
		return fmt.Errorf("bound the memory: %w", err)
	}
	var t pdfTask
	if err := json.Unmarshal([]byte(args[0]), &t); err != nil {
		return err
	}
	file := os.NewFile(pdfFile, "document")
	if file == nil {
		return errors.New("no file is given")
	}
	buffered := bufio.NewWriter(os.Stdout)
	enc := json.NewEncoder(buffered)
	last := readPDF(file, t, func(page int, text string) error {
		if err := enc.Encode(pdfMessage{Page: page, Text: text}); err != nil {
			return err
		}
		return buffered.Flush()
	})
	return errors.Join(enc.Encode(last), buffered.Flush(), file.Close())
}

// tooMuch is what readers panic with when a limit is exceeded; the library
// knows no other way out of its loops.
type tooMuch struct {
	what  string
	limit int64
}

// readPDF shows the text of every page and answers how it ended. The library
// panics on malformed files.
func readPDF(file io.ReaderAt, t pdfTask, show func(page int, text string) error) (last pdfMessage) {
	defer func() {
		if p := recover(); p != nil {
			last = pdfFault(p)
		}
	}()
	window, err := windowOf(file, t.Size)
	if err != nil {
		return pdfFault(err)
	}
	doc, err := pdf.NewReader(window, window.size)
	if err != nil {
		return pdfFault(err)
	}
	limits := &pdfLimits{task: t, text: t.Text, expanded: t.Expanded}
	for n := 1; n <= doc.NumPage(); n++ {
		page := doc.Page(n)
		if page.V.IsNull() {
			break // it has fewer than it says
		}
		if err := show(n, pageText(page, limits)); err != nil {
			return pdfMessage{Fault: err.Error()}
		}
	}
	return pdfMessage{Done: true}
}

func pdfFault(p any) pdfMessage {
	if much, ok := p.(tooMuch); ok {
		return pdfMessage{Large: much.what, Limit: much.limit}
	}
	message := fmt.Sprint(p)
	if err, ok := p.(error); ok && errors.Is(err, pdf.ErrInvalidPassword) || strings.Contains(message, "encrypt") {
		return pdfMessage{Fault: "the PDF file is encrypted; only files that open without a password can be read"}
	}
	return pdfMessage{Fault: "the PDF file cannot be read: " + message}
}
