// Package documentstest writes small files of the formats that package documents reads,
// and faulty ones, for tests.
package documentstest

import (
	"archive/zip"
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

const wordSpace = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`

// Zip makes an archive of names and contents, in that order.
func Zip(t testing.TB, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err == nil {
			_, err = io.WriteString(w, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// PDF writes a PDF of objects, numbered from 1, the first of which is the
// catalogue. extra goes into the trailer.
func PDF(extra string, objects ...string) string {
	var b strings.Builder
	b.WriteString("%PDF-1.4\n")
	var offsets []int
	for i, o := range objects {
		offsets = append(offsets, b.Len())
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	at := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, o := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, extra, at)
	return b.String()
}

// Stream is a compressed stream object.
func Stream(dict, content string) string {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, err := io.WriteString(z, content)
	if err = errors.Join(err, z.Close()); err != nil { // into memory
		panic(err)
	}
	return fmt.Sprintf("<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream", dict, b.Len(), b.String())
}

// Pages is a PDF with a page for each content stream, in Helvetica.
func Pages(extra string, contents ...string) string {
	objects := []string{"<< /Type /Catalog /Pages 2 0 R >>", "", "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"}
	var kids []string
	for _, content := range contents {
		page := len(objects) + 1
		kids = append(kids, fmt.Sprintf("%d 0 R", page))
		objects = append(objects,
			fmt.Sprintf("<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>", page+1),
			Stream("", content))
	}
	objects[1] = fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(kids), strings.Join(kids, " "))
	return PDF(extra, objects...)
}

// DOCX is a document of Word with that in its body. It has two styles of headings,
// "berschrift1" and "Sub", below the first.
func DOCX(t testing.TB, body string) string {
	return Zip(t,
		"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`,
		"word/styles.xml", `<w:styles `+wordSpace+`><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
			<w:style w:styleId="Sub"><w:name w:val="Our own"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style></w:styles>`,
		"word/document.xml", `<w:document `+wordSpace+` xmlns:mc="m"><w:body>`+body+`</w:body></w:document>`)
}

// Paragraph is a paragraph of a DOCX, in a style of it or none.
func Paragraph(style, text string) string {
	return `<w:p><w:pPr><w:pStyle w:val="` + style + `"/></w:pPr><w:r><w:t>` + text + `</w:t></w:r></w:p>`
}

// LockedPDF says that it opens with a password.
func LockedPDF() string {
	key := strings.Repeat("x", 32)
	return Pages(fmt.Sprintf("/ID [(a) (a)] /Encrypt << /Filter /Standard /V 1 /R 2 /O (%s) /U (%s) /P -4 >>", key, key), "BT ET")
}

// LockedOffice is what Word and Excel put around a file that opens with a password, as
// far as anybody who has none can tell: a compound file.
func LockedOffice() string {
	return "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + strings.Repeat("\x00", 504) + "E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00"
}
