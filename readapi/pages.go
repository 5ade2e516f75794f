package readapi

import (
	"net/http"
	"strings"

	"strata/internal/httpx"
)

// pages registers the OpenAPI documents and the page that shows them.
func (a *API) pages() {
	a.r.ServeSpec()
	a.r.Raw(httpx.Op{ID: "apiDocs", Method: http.MethodGet, Path: "/docs", Mount: httpx.API, Tag: "Documentation",
		Summary: "API documentation", Description: "A page for people; with `Accept: application/json` the OpenAPI document.",
		Public: true, ResultMedia: "text/html"}, docsOrDocument(a.Docs, a.r.SpecHandler()))
}

// docsOrDocument answers programs, which accept JSON and no HTML, with the
// document that the page shows.
func docsOrDocument(page, document http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept")
		accept := r.Header.Get("Accept")
		if strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html") {
			document.ServeHTTP(w, r)
			return
		}
		page.ServeHTTP(w, r)
	})
}
