package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func build() fstest.MapFS {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	return fstest.MapFS{
		"dist/.placeholder":             file("placeholder"),
		"dist/index.html":               file("<html>console</html>"),
		"dist/theme.js":                 file("theme"),
		"dist/favicon.svg":              file("<svg/>"),
		"dist/assets/index-abc.js":      file("script"),
		"dist/assets/index-abc.js.gz":   file("packed"),
		"dist/assets/geist-abc.woff2":   file("font"),
		"dist/docs/index.html":          file(`<html data-document="{{spec}}">docs</html>`),
		"dist/docs/scalar-0123abcd.js":  file("scalar"),
		"dist/docs/LICENSE.scalar":      file("MIT"),
		"dist/docs/scalar-0123abcd.png": file("png"),
	}
}

func get(t *testing.T, h http.Handler, target string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Result(), string(body)
}

func TestConsoleServesFilesAndPages(t *testing.T) {
	h := console(build())
	for _, c := range []struct {
		path   string
		status int
		body   string
		kind   string
		cache  string
	}{
		{"/console/", 200, "<html>console</html>", "text/html; charset=utf-8", "no-cache"},
		{"/console/logs?model=x", 200, "<html>console</html>", "text/html; charset=utf-8", "no-cache"},
		{"/console/index.html", 200, "<html>console</html>", "text/html; charset=utf-8", "no-cache"},
		{"/strata/console/budgets", 200, "<html>console</html>", "text/html; charset=utf-8", "no-cache"},
		{"/console/theme.js", 200, "theme", "text/javascript; charset=utf-8", "no-cache"},
		{"/console/favicon.svg", 200, "<svg/>", "image/svg+xml", "no-cache"},
		{"/console/assets/index-abc.js", 200, "script", "text/javascript; charset=utf-8", forever},
		{"/console/assets/geist-abc.woff2", 200, "font", "font/woff2", forever},
		{"/console/docs/scalar-0123abcd.js", 200, "scalar", "text/javascript; charset=utf-8", forever},
		{"/console/docs/LICENSE.scalar", 200, "MIT", "application/octet-stream", "no-cache"},
		{"/console/assets/gone-abc.js", 404, "404 page not found\n", "", ""},
		{"/console/assets/index-abc.js.gz", 404, "404 page not found\n", "", ""},
		{"/console/deep/page", 404, "404 page not found\n", "", ""},
		{"/console/docs/index.html", 404, "404 page not found\n", "", ""},
		{"/console/.placeholder", 404, "404 page not found\n", "", ""},
		{"/console/../web.go", 404, "404 page not found\n", "", ""},
	} {
		t.Run(c.path, func(t *testing.T) {
			res, body := get(t, h, c.path)
			if res.StatusCode != c.status || body != c.body {
				t.Fatalf("got %d %q, want %d %q", res.StatusCode, body, c.status, c.body)
			}
			if c.status != 200 {
				return
			}
			if got := res.Header.Get("Content-Type"); got != c.kind {
				t.Errorf("content type %q, want %q", got, c.kind)
			}
			if got := res.Header.Get("Cache-Control"); got != c.cache {
				t.Errorf("cache control %q, want %q", got, c.cache)
			}
			if got := res.Header.Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
				t.Errorf("content security policy %q", got)
			}
		})
	}
}

func TestConsoleRedirectsRelatively(t *testing.T) {
	res, _ := get(t, console(build()), "/console")
	if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "console/" {
		t.Fatalf("got %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}

func TestConsoleSendsPrecompressed(t *testing.T) {
	h := console(build())
	for _, c := range []struct{ accept, encoding, body string }{
		{"gzip, deflate, br", "gzip", "packed"},
		{"br;q=1.0, gzip;q=0.8", "gzip", "packed"},
		{"gzip; q=0", "", "script"},
		{"", "", "script"},
	} {
		t.Run(c.accept, func(t *testing.T) {
			res, body := get(t, h, "/console/assets/index-abc.js", "Accept-Encoding", c.accept)
			if got := res.Header.Get("Content-Encoding"); got != c.encoding || body != c.body {
				t.Fatalf("got %q %q, want %q %q", got, body, c.encoding, c.body)
			}
			if res.Header.Get("Vary") != "Accept-Encoding" {
				t.Error("the answer does not say that it varies")
			}
		})
	}
}

func TestConsoleRefusesOtherMethods(t *testing.T) {
	w := httptest.NewRecorder()
	console(build()).ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/console/", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Fatalf("got %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestDocsNamesTheSpec(t *testing.T) {
	h := docs(build(), `openapi.json?a="b"`)
	res, body := get(t, h, "/api/v1/docs")
	if res.StatusCode != 200 || body != `<html data-document="openapi.json?a=&#34;b&#34;">docs</html>` {
		t.Fatalf("got %d %q", res.StatusCode, body)
	}
	res, _ = get(t, h, "/api/v1/docs/")
	if res.StatusCode != http.StatusFound || res.Header.Get("Location") != "../docs" {
		t.Fatalf("got %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
}

func TestNotBuilt(t *testing.T) {
	empty := fstest.MapFS{"dist/.placeholder": {Data: []byte("placeholder")}}
	for name, h := range map[string]http.Handler{"console": console(empty), "docs": docs(empty, "openapi.json")} {
		t.Run(name, func(t *testing.T) {
			res, body := get(t, h, "/console/")
			if res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body, "make web") {
				t.Fatalf("got %d %q", res.StatusCode, body)
			}
		})
	}
}

// The embedded files are whatever was built last; either way something answers.
func TestEmbedded(t *testing.T) {
	want := http.StatusServiceUnavailable
	if Built() {
		want = http.StatusOK
	}
	for _, c := range []struct {
		path string
		h    http.Handler
	}{{"/console/", Console()}, {"/api/v1/docs", Docs("openapi.json")}} {
		if res, _ := get(t, c.h, c.path); res.StatusCode != want {
			t.Errorf("%s: got %d, want %d", c.path, res.StatusCode, want)
		}
	}
}
