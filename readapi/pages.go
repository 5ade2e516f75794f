package readapi

import (
	"net/http"

	"strata/internal/httpx"
)

// pages registers the OpenAPI documents and the page that shows them.
func (a *API) pages() {
	a.r.ServeSpec()
	a.r.Raw(httpx.Op{ID: "apiDocs", Method: http.MethodGet, Path: "/docs", Mount: httpx.API, Tag: "Documentation",
		Summary: "API documentation", Description: "A page for people; with `Accept: application/json` the OpenAPI document.",
		Public: true, ResultMedia: "text/html"}, a.Docs)
}
