package documents_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/internal/documents"
	"strata/internal/documents/documentstest"
)

func TestDOCX(t *testing.T) {
	body := documentstest.Paragraph("", "Before") + documentstest.Paragraph("berschrift1", "Travel") +
		`<w:p><w:r><w:t>Take </w:t></w:r><w:r><w:t xml:space="preserve">the </w:t></w:r><w:del><w:r><w:delText>plane</w:delText></w:r></w:del><w:r><w:t>train.</w:t><w:br/><w:t>Now</w:t></w:r></w:p>` +
		`<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>item</w:t></w:r></w:p>` +
		documentstest.Paragraph("Sub", "Fares") +
		`<w:tbl><w:tr><w:tc><w:p><w:r><w:t>Rome</w:t></w:r></w:p></w:tc><w:tc><w:p><w:r><w:t>130</w:t></w:r></w:p></w:tc></w:tr></w:tbl>` +
		`<w:p><mc:AlternateContent><mc:Choice><w:r><w:t>once</w:t></w:r></mc:Choice><mc:Fallback><w:r><w:t>once</w:t></w:r></mc:Fallback></mc:AlternateContent></w:p>`
	got, err := sections(t, documents.Config{}, documents.DOCX, documentstest.DOCX(t, body))
	if err != nil {
		t.Fatal(err)
	}
	same(t, outline(got), []string{
		"0||Before", "0|Travel|Travel\nTake the train.\nNow\n\n- item",
		"0|Travel>Fares|Fares\nRome | 130\n\nonce",
	})
}

func TestArchivesAreBounded(t *testing.T) {
	bomb := documentstest.DOCX(t, "<w:p><w:r><w:t>"+strings.Repeat("<w:t/>", 300_000))
	_, err := sections(t, documents.Config{Limits: documents.Limits{Expanded: 1 << 20}}, documents.DOCX, bomb)
	refused(t, err, domain.CodePayloadTooLarge, "1048576 bytes when it is unpacked")
	if len(bomb) > 1<<20 {
		t.Errorf("the bomb itself has %d bytes", len(bomb))
	}
	_, err = sections(t, documents.Config{}, documents.DOCX, documentstest.DOCX(t, strings.Repeat("<w:p>", 300)))
	refused(t, err, domain.CodePayloadTooLarge, "256 levels of XML")
	_, err = sections(t, documents.Config{}, documents.DOCX, documentstest.DOCX(t, "<w:p><w:r><w:t>"+strings.Repeat("x", 3<<20)))
	refused(t, err, domain.CodePayloadTooLarge, "1048576 bytes in one tag or text")
}

func TestArchivesThatAreNone(t *testing.T) {
	for data, says := range map[string]string{
		"plain text": "not an archive", documentstest.LockedOffice(): "opens with a password", documentstest.DOCX(t, "</w:p>"): "damaged", documentstest.Zip(t, "xl/workbook.xml", "<w/>"): "lacks word/document.xml",
	} {
		_, err := sections(t, documents.Config{}, documents.DOCX, data)
		refused(t, err, domain.CodeInvalidRequest, says)
	}
	_, err := rows(t, documents.Config{}, documents.XLSX, documentstest.DOCX(t, ""))
	refused(t, err, domain.CodeInvalidRequest, "lacks xl/workbook.xml")
}
