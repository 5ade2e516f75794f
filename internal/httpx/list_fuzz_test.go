package httpx

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// FuzzListParams reads any query as the parameters of a list: paging, sorting,
// search and filters. It is refused as the client's fault or understood within
// bounds, and the answer is JSON either way.
func FuzzListParams(f *testing.F) {
	for _, s := range []string{"", "limit=5&cursor=abc&offset=7", "page=3&pageSize=10", "page=9223372036854775807&page_size=100", "after=x",
		"sortBy=displayName&sortOrder=asc", "sort=x", "search=a b", "status=draft,active&status=&topK=1&start_date=2026-01-02T03:04:05Z", "limit=-1", "%zz", "a;b"} {
		f.Add(s)
	}
	type list struct{ ListParams }
	var got *ListParams
	r := New(testOptions())
	kinds := []Paging{NoPaging, Cursor, After, Pages}
	for i, paging := range kinds {
		Register(r, Op{ID: "list" + string(rune('A'+i)), Method: "GET", Path: "/things" + string(rune('a'+i)), Mount: V1, Public: true, Paging: paging,
			Sort: []string{"created_at", "display_name"}, Search: true,
			Filters: []string{"status=draft|active", "start_date:date-time", "top_k:integer", "ratio:number", "on:boolean"}},
			func(_ context.Context, in *list) (Reply[List[gadget]], error) {
				got = &in.ListParams
				return Reply[List[gadget]]{}, nil
			})
	}
	r.Freeze()
	f.Fuzz(func(t *testing.T, query string) {
		for i := range kinds {
			got = nil
			req := httptest.NewRequest(http.MethodGet, "/v1/things"+string(rune('a'+i)), nil)
			req.URL = &url.URL{Path: req.URL.Path, RawQuery: query}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != http.StatusOK && w.Code != http.StatusBadRequest || !strings.Contains(w.Header().Get("Content-Type"), "json") {
				t.Fatalf("%q: %d %s %s", query, w.Code, w.Header(), w.Body)
			}
			if (got == nil) != (w.Code != http.StatusOK) {
				t.Fatalf("%q: %d, and the handler was called: %v", query, w.Code, got != nil)
			}
			if got == nil {
				continue
			}
			if got.Limit < 1 && kinds[i] != NoPaging || got.Limit > 1000 || got.Offset < 0 || got.Page < 0 || !slices.Contains([]string{"created_at", "display_name"}, got.Sort) {
				t.Fatalf("%q: %+v", query, got)
			}
			for name, value := range got.Filters {
				if name == "status" && value != "" {
					for v := range strings.SplitSeq(value, ",") {
						if v = strings.TrimSpace(v); v != "draft" && v != "active" && v != "" {
							t.Fatalf("%q: status %q", query, value)
						}
					}
				}
			}
		}
	})
}
