package documents_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"strata/domain"
	"strata/internal/documents"
)

func TestPlainTextHasPagesAtFormFeeds(t *testing.T) {
	got, err := sections(t, documents.Config{}, documents.Text, "\xef\xbb\xbfone\r\ntwo\fthree\n")
	if err != nil {
		t.Fatal(err)
	}
	same(t, outline(got), []string{"0||one\ntwo", "2||three"})
}

func TestTextEncodings(t *testing.T) {
	for name, data := range map[string]string{
		"UTF-8": "caf\u00e9", "Windows-1252": "caf\xe9", "UTF-16": "\xff\xfec\x00a\x00f\x00\xe9\x00",
	} {
		if text, err := documents.New(documents.Config{}).Text(t.Context(), strings.NewReader(data), documents.Text); err != nil || text != "café" {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
}

func TestLongTextComesInSectionsAndIsWhole(t *testing.T) {
	text := strings.Repeat("wörter ohne Ende ", 40_000) // no line break
	got, err := sections(t, documents.Config{}, documents.Text, text)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, s := range got {
		if len(s.Text) > 256<<10 || strings.ToValidUTF8(s.Text, "") != s.Text {
			t.Fatalf("a section of %d bytes", len(s.Text))
		}
		all.WriteString(s.Text)
	}
	if len(got) < 3 || all.String() != text {
		t.Errorf("%d sections with %d of %d bytes", len(got), all.Len(), len(text))
	}
}

func TestMarkdownOutline(t *testing.T) {
	got, err := sections(t, documents.Config{}, documents.Markdown, strings.Join([]string{
		"intro", "# Guide", "text", "## Trains ##", "fast", "```", "# no heading", "```",
		"Hotels", "------", "- cheap", "", "Other part", "===", "end", "#nothing",
	}, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, outline(got), []string{
		"0||intro", "0|Guide|Guide\ntext", "0|Guide>Trains|Trains\nfast\n```\n# no heading\n```",
		"0|Guide>Hotels|Hotels\n- cheap", "0|Other part|Other part\nend\n#nothing",
	})
}

func TestHTMLShowsWhatAReaderSees(t *testing.T) {
	got, err := sections(t, documents.Config{}, documents.HTML, `<!doctype html><html><head><title>T</title><style>p{}</style></head>
		<body><nav><p>Home</p><nav>x</nav></nav><h1>Our <em>Guide</em></h1><p>Take the<b> train</b>,
		not&nbsp;the plane.<script>alert("<p>no</p>")</script></p><ul><li>one<li>two</ul>
		<h2>Fares</h2><table><tr><th>City<th>Euro</tr><tr><td>Rome</td><td>130</td></tr></table><pre>a
  b</pre></body></html>`)
	if err != nil {
		t.Fatal(err)
	}
	same(t, outline(got), []string{
		"0|Our Guide|Our Guide\nTake the train, not the plane.\n\n- one\n- two",
		"0|Our Guide>Fares|Fares\nCity | Euro\nRome | 130\n\na\n  b",
	})
}

func TestTextLimitsAreNamed(t *testing.T) {
	small := documents.Config{Limits: documents.Limits{Bytes: 100}}
	_, err := sections(t, small, documents.Text, strings.Repeat("x", 101))
	refused(t, err, domain.CodePayloadTooLarge, "100 bytes")
	if _, err := sections(t, small, documents.Text, strings.Repeat("x", 100)); err != nil {
		t.Errorf("a file of just the size allowed: %v", err)
	}
	_, err = sections(t, documents.Config{Limits: documents.Limits{Text: 50}}, documents.HTML, "<p>"+strings.Repeat("word ", 20))
	refused(t, err, domain.CodePayloadTooLarge, "50 bytes of text")
	_, err = sections(t, documents.Config{Limits: documents.Limits{Record: 5000}}, documents.HTML, `<a href="`+strings.Repeat("x", 20_000)+`">`)
	refused(t, err, domain.CodePayloadTooLarge, "5000 bytes in one tag")
}

func TestCallerWhoLeavesIsNotMadeAFault(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := documents.New(documents.Config{}).Text(ctx, strings.NewReader("x"), documents.Text); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct{ name, media, head, want string }{
		{"a.txt", "", "", "text"}, {"a.MD", "", "# x", "markdown"}, {"a.tsv", "", "a\tb", "csv"},
		{"", "application/json; charset=utf-8", "[", "json"}, {"", "", `[{"a":1}]`, "json"},
		{"", "", "{\"a\":1}\n{\"a\":2}\n", "jsonl"}, {"", "", " <!DOCTYPE HTML>", "html"},
		{"a.txt", "", "%PDF-1.4\n", "pdf"}, {"a.xlsx", "", "PK\x03\x04....", "xlsx"},
		{"a.bin", "", "PK\x03\x04..word/document.xml", "docx"}, {"notes", "", "some words", "text"},
		{"people.csv", "application/octet-stream", "\xff\xfea\x00", "csv"},
		{"a.pdf", "", "hello", ""}, {"a.exe", "", "MZ\x00\x01", ""}, {"a.zip", "application/zip", "PK\x03\x04....", ""},
	} {
		got, err := documents.Detect(c.name, c.media, []byte(c.head))
		if string(got) != c.want || (err == nil) == (c.want == "") {
			t.Errorf("%+v: %q %v", c, got, err)
		}
		if c.want == "" {
			refused(t, err, domain.CodeUnsupportedMedia, c.name)
		}
	}
}
