package documents

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// looked is how much of a text decides its encoding.
const looked = 64 << 10

// decoded reads the text of a file as UTF-8 without a byte order mark. A mark
// tells the encoding; without one it is UTF-8, unless the beginning is not:
// then it is Windows-1252, which spreadsheets of that system export.
func (x *Extractor) decoded(ctx context.Context, r io.Reader) (*bufio.Reader, error) {
	raw := bufio.NewReaderSize(bound(ctx, r, x.cfg.Limits.Bytes, "bytes"), looked)
	head, err := raw.Peek(looked)
	if err != nil && err != io.EOF {
		return nil, err
	}
	marked := bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff"))
	whole := head
	if len(head) == looked { // the last character may be cut
		for i := 0; i < utf8.UTFMax && len(whole) > 0 && !utf8.Valid(whole); i++ {
			whole = whole[:len(whole)-1]
		}
	}
	decoder := unicode.BOMOverride(unicode.UTF8.NewDecoder())
	if !marked && !utf8.Valid(whole) {
		decoder = charmap.Windows1252.NewDecoder()
	}
	return bufio.NewReaderSize(transform.NewReader(raw, decoder), looked), nil
}
