package documents

import (
	"bytes"
	"mime"
	"path"
	"strings"
	"unicode/utf8"

	"strata/domain"
)

// Format of a file.
type Format string

// The formats that can be read.
const (
	Text     Format = "text"
	Markdown Format = "markdown"
	HTML     Format = "html"
	PDF      Format = "pdf"
	DOCX     Format = "docx"
	CSV      Format = "csv"
	JSON     Format = "json"
	JSONL    Format = "jsonl"
	XLSX     Format = "xlsx"
)

// Formats lists what can be read, for documentation.
func Formats() []Format {
	return []Format{Text, Markdown, HTML, PDF, DOCX, CSV, JSON, JSONL, XLSX}
}

// Tabular tells whether a format holds records, so that Rows reads it.
func (f Format) Tabular() bool {
	return f == CSV || f == JSON || f == JSONL || f == XLSX
}

// byExtension is what names of files promise.
func byExtension(name string) Format {
	switch strings.ToLower(path.Ext(name)) {
	case ".txt", ".text", ".log":
		return Text
	case ".md", ".markdown":
		return Markdown
	case ".html", ".htm", ".xhtml":
		return HTML
	case ".pdf":
		return PDF
	case ".docx":
		return DOCX
	case ".csv", ".tsv":
		return CSV
	case ".json":
		return JSON
	case ".jsonl", ".ndjson":
		return JSONL
	case ".xlsx":
		return XLSX
	}
	return ""
}

// byMedia is what content types promise.
func byMedia(contentType string) Format {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	switch media {
	case "text/plain":
		return Text
	case "text/markdown", "text/x-markdown":
		return Markdown
	case "text/html", "application/xhtml+xml":
		return HTML
	case "application/pdf":
		return PDF
	case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return DOCX
	case "text/csv", "application/csv", "text/tab-separated-values":
		return CSV
	case "application/json":
		return JSON
	case "application/jsonl", "application/x-ndjson", "application/x-jsonlines", "application/jsonlines":
		return JSONL
	case "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":
		return XLSX
	}
	return ""
}

// sniffed is how many bytes Detect looks at.
const sniffed = 4096

// Detect tells the format of a file by its name, then by its content type,
// then by how it begins; head may be empty or any first part of it. What the
// file begins with wins where it leaves no doubt: a PDF is one whatever it is
// called. Errors: UNSUPPORTED_MEDIA for a format that cannot be read, naming
// those that can.
func Detect(name, contentType string, head []byte) (Format, error) {
	head = head[:min(len(head), sniffed)]
	promised := byExtension(name)
	if promised == "" {
		promised = byMedia(contentType)
	}
	seen, sure := sniff(head)
	switch {
	case sure && seen == "":
		if promised == DOCX || promised == XLSX {
			return promised, nil // an archive: what is in it is seen when it is opened
		}
	case sure:
		return seen, nil
	case promised == PDF || promised == DOCX || promised == XLSX:
		if len(head) > 0 {
			return "", domain.Errorf(domain.CodeUnsupportedMedia, "%q is not the %s file that it claims to be", name, strings.ToUpper(string(promised)))
		}
		return promised, nil
	case promised != "":
		return promised, nil
	case seen != "":
		return seen, nil
	}
	return "", domain.Errorf(domain.CodeUnsupportedMedia, "the format of %q cannot be read; these can: %s", name, known())
}

func known() string {
	var names []string
	for _, f := range Formats() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

// sniff looks at how a file begins. sure with no format is a binary file of
// which the beginning does not tell more.
func sniff(head []byte) (f Format, sure bool) {
	if len(head) == 0 {
		return "", false
	}
	if i := bytes.Index(head[:min(len(head), 1024)], []byte("%PDF-")); i >= 0 && (i == 0 || !utf8.Valid(head[:i]) || len(bytes.TrimSpace(head[:i])) == 0) {
		return PDF, true
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		switch {
		case bytes.Contains(head, []byte("word/")):
			return DOCX, true
		case bytes.Contains(head, []byte("xl/")):
			return XLSX, true
		}
		return "", true
	}
	wide := bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) // UTF-16
	if !wide && bytes.IndexByte(head, 0) >= 0 {
		return "", true
	}
	return sniffText(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")), false
}

// sniffText guesses the format of a text without a name. CSV and Markdown look
// like text until somebody says that they are not.
func sniffText(head []byte) Format {
	lower := bytes.ToLower(head[:min(len(head), 512)])
	switch {
	case bytes.HasPrefix(lower, []byte("<!doctype html")), bytes.HasPrefix(lower, []byte("<html")):
		return HTML
	case bytes.HasPrefix(head, []byte("[")), bytes.HasPrefix(head, []byte("{")):
		first, _, more := bytes.Cut(head, []byte("\n"))
		first = bytes.TrimSpace(first)
		if more && bytes.HasPrefix(first, []byte("{")) && bytes.HasSuffix(first, []byte("}")) {
			return JSONL
		}
		return JSON
	}
	return Text
}
