//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"strata/internal/documents/documentstest"
)

// files are documents of each format that hold the same words, and where in the format
// the words stand.
func files(t *testing.T) []struct{ name, data, mime, words, heading string } {
	t.Helper()
	printed, err := os.ReadFile("../../internal/documents/testdata/printed.pdf")
	if err != nil {
		t.Fatal(err)
	}
	return []struct{ name, data, mime, words, heading string }{
		{"letter.pdf", documentstest.Pages("", "BT /F1 12 Tf 72 720 Td (Nothing is here.) Tj ET", "BT /F1 12 Tf 72 720 Td (Zebras are shipped on Mondays.) Tj ET"),
			"application/pdf", "Zebras are shipped on Mondays.", ""},
		{"printed.pdf", string(printed), "application/pdf", "The office efficiently refunds first-class tickets.", ""},
		{"rules.docx", documentstest.DOCX(t, documentstest.Paragraph("berschrift1", "Pets")+documentstest.Paragraph("", "Giraffes wait at the back door.")),
			"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Giraffes wait at the back door.", "Pets"},
		{"page.html", "<html><body><h1>Food</h1><p>Lions &amp; tigers eat at noon.</p><script>hide()</script></body></html>", "text/html", "Lions & tigers eat at noon.", "Food"},
		{"prices.csv", "animal;price\nParrot;30\nTortoise;45\n", "text/csv", "Tortoise", ""},
	}
}

// What stands in a file of any format is found, and the piece says where it stood.
func TestFilesOfEveryFormatAreFound(t *testing.T) {
	c := onShared(t)
	base := c.Create(t, "/v1/knowledge-bases", object{"name": "Files"}).Str("id")
	for _, f := range files(t) {
		t.Run(f.name, func(t *testing.T) {
			taken := c.upload(t, http.StatusAccepted, "/v1/knowledge-bases/"+base+"/documents", f.name, f.data)
			taken.Want("accepted", 1, "documents.0.mime_type", f.mime, "documents.0.size_bytes", len(f.data))
			id := taken.Str("documents.0.id")
			c.processed(t, id, "completed")
			var text strings.Builder
			for _, chunk := range c.Get(t, "/v1/knowledge-documents/"+id+"/chunks?limit=100").Strings("data", "content") {
				text.WriteString(chunk + "\n")
			}
			if !strings.Contains(text.String(), f.words) || strings.Contains(text.String(), "hide()") {
				t.Errorf("the pieces are %q", text.String())
			}
			found := c.Post(t, "/v1/knowledge-bases/"+base+"/search", object{"query": f.words, "top_k": 1})
			found.Want("results.0.document_id", id)
			if f.heading != "" {
				found.Want("results.0.headings.0", f.heading)
			}
			if f.name == "letter.pdf" {
				found.Want("results.0.page", 1) // both short pages are one piece, which begins there
			}
		})
	}
}

// A file that cannot be read is refused with the reason, whatever comes with it, and
// leaves nothing behind.
func TestFilesThatCannotBeReadSayWhy(t *testing.T) {
	c := onShared(t)
	base := c.Create(t, "/v1/knowledge-bases", object{"name": "Broken"}).Str("id")
	path := "/v1/knowledge-bases/" + base + "/documents"
	pdf, docx := documentstest.Pages("", "BT /F1 12 Tf (Hello) Tj ET"), documentstest.DOCX(t, documentstest.Paragraph("", "Hello"))
	bad := map[string][2]string{
		"locked.pdf":   {documentstest.LockedPDF(), "the PDF file is encrypted; only files that open without a password can be read"},
		"cut.pdf":      {pdf[:len(pdf)/2], "its end is missing"},
		"scan.pdf":     {documentstest.Pages("", "q 1 0 0 1 0 0 cm /Im1 Do Q"), "only pictures"},
		"not.pdf":      {"Hello", "is not the PDF file that it claims to be"},
		"locked.docx":  {documentstest.LockedOffice(), "the file opens with a password, or is of Office before 2007"},
		"cut.docx":     {docx[:len(docx)/2], "not an archive"},
		"damaged.docx": {documentstest.DOCX(t, "</w:p>"), "damaged"},
		"empty.csv":    {"", "has no text in it"},
	}
	for name, b := range bad {
		a := c.upload(t, http.StatusBadRequest, path, name, b[0]).Want("code", "VALIDATION_ERROR", "details.0.field", "files."+name)
		if said := a.Str("details.0.message"); !strings.Contains(said, b[1]) {
			t.Errorf("%s: %q, not %q", name, said, b[1])
		}
	}
	parts := []string{"good.docx", docx}
	for name, b := range bad {
		parts = append(parts, name, b[0])
	}
	taken := c.upload(t, http.StatusAccepted, path, parts...).Want("accepted", 1, "documents.0.name", "good.docx")
	if all := taken.List("rejected"); len(all) != len(bad) {
		t.Errorf("%d of %d are rejected: %s", len(all), len(bad), taken.Short())
	}
	c.processed(t, taken.Str("documents.0.id"), "completed")
	c.Get(t, "/v1/knowledge-bases/"+base).Want("document_count", 1, "status", "ready")
}
