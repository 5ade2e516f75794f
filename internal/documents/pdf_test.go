package documents_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/internal/documents"
	"strata/internal/documents/documentstest"
)

func TestPDFPrintedByABrowser(t *testing.T) {
	f, err := os.Open("testdata/printed.pdf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []documents.Section
	for s, err := range documents.New(documents.Config{}).Sections(t.Context(), f, documents.PDF) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	same(t, outline(got), []string{
		"1||Travel handbook\nTake the train when it takes less than five hours. The office efficiently refunds first-class tickets.\n\nSecond paragraph: naïve café, 10 € fare.",
		"2||Hotels\nAt most 120 euros a night, breakfast included.\n\nParis 150\nRome 130",
	})
}

func TestPDFWrittenByHand(t *testing.T) {
	page := "BT /F1 12 Tf 14 TL 72 720 Td [(Hel) 20 (lo) -300 (world)] TJ T* (second line) Tj 0 -40 Td (far be\\154ow) Tj ET"
	data := "transport\r\n" + strings.Replace(documentstest.Pages("", page, "BT /F1 9 Tf (two) Tj ET"), "%PDF-1.4", "%PDF-2.0", 1) + "\r\n-- boundary --\r\n" + strings.Repeat(" ", 200)
	got, err := sections(t, documents.Config{}, documents.PDF, data)
	if err != nil {
		t.Fatal(err)
	}
	same(t, outline(got), []string{"1||Hello world\nsecond line\n\nfar below", "2||two"})
}

func TestPDFRefused(t *testing.T) {
	for name, c := range map[string]struct{ data, says string }{
		"none":      {"hello", "does not begin as one"},
		"cut":       {documentstest.Pages("", "BT ET")[:300], "its end is missing"},
		"encrypted": {documentstest.LockedPDF(), "encrypted"},
		"scanned":   {documentstest.Pages("", "q 1 0 0 1 0 0 cm /Im1 Do Q"), "only pictures"},
		"panics":    {documentstest.Pages("", "end"), "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sections(t, documents.Config{}, documents.PDF, c.data)
			refused(t, err, domain.CodeInvalidRequest, c.says)
		})
	}
}

// TestPDFBombs are files that a reader which believes them dies of.
func TestPDFBombs(t *testing.T) {
	limits := documents.Limits{Expanded: 1 << 20, Text: 10_000, Time: 20 * time.Second}
	cmap := "1 begincodespacerange <00> <ff> endcodespacerange 99999999999 beginbfchar endbfchar"
	font := "<< /Type /Font /Subtype /Type1 /ToUnicode 6 0 R >>"
	withFont := documentstest.PDF("", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
		"<< /Type /Page /Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>", font, documentstest.Stream("", "BT /F1 1 Tf (a) Tj ET"), documentstest.Stream("", cmap))
	loop := documentstest.PDF("", "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 9 /Kids [2 0 R] >>")
	for name, c := range map[string]struct {
		data string
		code domain.Code
		says string
		time time.Duration
	}{
		"unpacks":    {documentstest.Pages("", strings.Repeat("0 ", 4<<20)), domain.CodePayloadTooLarge, "1048576 bytes when it is unpacked", 0},
		"much text":  {documentstest.Pages("", "BT /F1 1 Tf "+strings.Repeat("(aaaaaaaaaaaaaaaaaaaaaaaaaaa) Tj ", 1000)+"ET"), domain.CodePayloadTooLarge, "10000 bytes of text", 0},
		"own memory": {withFont, domain.CodeInvalidRequest, "its reader failed", 0},
		"page loop":  {loop, domain.CodePayloadTooLarge, "longer than 500ms", 500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := limits
			if c.time > 0 {
				l.Time = c.time
			}
			_, err := sections(t, documents.Config{Limits: l}, documents.PDF, c.data)
			refused(t, err, c.code, c.says)
		})
	}
}
