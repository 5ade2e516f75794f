// Package web holds the console and the API docs page. Both are built by Vite
// into dist (make web) and embedded in the binary, so that one file is the
// whole product and no page ever asks another host for anything.
//
// Pages find the API relative to their own address, so the same build works
// at the root of a host and under any sub-path behind a proxy.
package web

import (
	"bytes"
	"embed"
	"html"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// dist holds at least a placeholder, so that the binary builds before the console does.
//
//go:embed all:dist
var dist embed.FS

const (
	// policy lets pages load and call only what comes from this server. Styles
	// may be inline because dialogs set some; scripts may not.
	policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
		"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

	// forever is for files whose name holds a hash of their content.
	forever = "public, max-age=31536000, immutable"
)

// Console serves the console below "/console/". Paths that are not files are
// pages of the console, so all of them answer the one HTML document. Mount it
// for both "/console" and everything below "/console/"; it needs no prefix
// stripped and no credential: what it serves is public, the data is not.
func Console() http.Handler { return console(dist) }

// Docs serves the API reference page, which shows the OpenAPI document at
// specURL ("openapi.json" beside the page, or any address on this server). Its
// scripts come from the console's mount. Mount it at ".../api/v1/docs".
func Docs(specURL string) http.Handler { return docs(dist, specURL) }

// Built tells whether the console was built into this binary.
func Built() bool { return built(dist) }

func built(files fs.FS) bool {
	_, err := fs.Stat(files, "dist/index.html")
	return err == nil
}

func console(files fs.FS) http.Handler {
	if !built(files) {
		return notBuilt("The console")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, name, below := strings.Cut(r.URL.Path, "/console/")
		if !below {
			// Relative, because only the browser knows what a proxy cut off.
			w.Header().Set("Location", "console/")
			w.WriteHeader(http.StatusFound)
			return
		}
		if !allowed(w, r) {
			return
		}
		secure(w.Header())
		switch {
		case name == "docs/index.html": // a template of Docs, not a page
			http.NotFound(w, r)
		case name != "index.html" && serveFile(w, r, files, name):
		case isPage(name):
			serveFile(w, r, files, "index.html")
		default:
			http.NotFound(w, r)
		}
	})
}

func docs(files fs.FS, specURL string) http.Handler {
	page, err := fs.ReadFile(files, "dist/docs/index.html")
	if err != nil {
		return notBuilt("The API reference")
	}
	page = bytes.ReplaceAll(page, []byte("{{spec}}"), []byte(html.EscapeString(specURL)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !allowed(w, r) {
			return
		}
		if strings.HasSuffix(r.URL.Path, "/") { // the page's relative addresses want no slash
			w.Header().Set("Location", "../"+path.Base(r.URL.Path))
			w.WriteHeader(http.StatusFound)
			return
		}
		secure(w.Header())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(page))
	})
}

// isPage tells whether a path below the console names one of its pages: one
// segment that does not look like a file. Deeper ones cannot be pages, because
// the document's relative addresses would point elsewhere.
func isPage(name string) bool { return !strings.ContainsAny(name, "./") || name == "index.html" }

// serveFile answers an embedded file, compressed where the client takes it. It
// returns false and answers nothing when there is no such file.
func serveFile(w http.ResponseWriter, r *http.Request, files fs.FS, name string) bool {
	if name == "" || strings.HasPrefix(path.Base(name), ".") || strings.HasSuffix(name, ".gz") {
		return false
	}
	full := path.Join("dist", name)
	content, ok := open(files, full)
	if !ok {
		return false
	}
	defer content.Close()
	header := w.Header()
	header.Set("Content-Type", contentType(name))
	header.Set("Cache-Control", cacheControl(name))
	if packed, ok := open(files, full+".gz"); ok {
		defer packed.Close()
		header.Add("Vary", "Accept-Encoding")
		if acceptsGzip(r) {
			header.Set("Content-Encoding", "gzip")
			content = packed
		}
	}
	http.ServeContent(w, r, "", time.Time{}, content)
	return true
}

// open opens an embedded file without copying it.
func open(files fs.FS, name string) (http.File, bool) {
	file, err := http.FS(files).Open("/" + name)
	if err != nil {
		return nil, false
	}
	if info, err := file.Stat(); err != nil || info.IsDir() {
		_ = file.Close() // nothing was read: there is nothing to lose
		return nil, false
	}
	return file, true
}

// contentType does not ask the machine's own table, which differs from one to the next.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".woff2":
		return "font/woff2"
	}
	if byTable := mime.TypeByExtension(path.Ext(name)); byTable != "" {
		return byTable
	}
	return "application/octet-stream"
}

// cacheControl lets files with a hash in their name be kept for ever. All
// others must be asked for again, or a new version would not be seen.
func cacheControl(name string) string {
	dir, file := path.Split(name)
	if dir == "assets/" || (dir == "docs/" && strings.Contains(file, "-")) {
		return forever
	}
	return "no-cache"
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		coding, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		if coding == "gzip" {
			return strings.ReplaceAll(params, " ", "") != "q=0"
		}
	}
	return false
}

// secure sets what keeps a page from being framed, sniffed or made to call elsewhere.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
}

func allowed(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return true
	}
	w.Header().Set("Allow", "GET, HEAD")
	http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	return false
}

// notBuilt answers a page that says what to do.
func notBuilt(what string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		secure(w.Header())
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
		// The client may be gone; there is nobody else to tell.
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Strata</title>` +
			`<body style="font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1rem">` +
			`<h1>` + what + ` is not built</h1><p>This binary was built without it: run <code>make web</code>, ` +
			`then build again. The API works as it is.</p></body></html>`))
	})
}
