package httpx

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The routes that are tried segment by segment find what gorilla/mux finds.
func TestPlainRoutesMatchAsMuxDoes(t *testing.T) {
	type nothing struct{}
	r := New(testOptions())
	for _, route := range []string{
		"GET /a/{x}", "PUT /a/{x}", "POST /a/b", "GET /a/{x}/c", "POST /a/b/{y}", "GET /a/{x}/{y}", "DELETE /a/b/c", "GET /a/{x}/c/{y}",
		"GET /m/{x}", "GET /m/{x:.+}", "GET /p/{x:[0-9]+}", "GET /p/{x}",
	} {
		method, path, _ := strings.Cut(route, " ")
		op := Op{ID: route, Method: method, Path: path}
		for _, op.Mount = range []*Mount{API, V1} {
			op.ID = route + op.Mount.Prefix
			Register(r, op, func(context.Context, *nothing) (Reply[nothing], error) { return Reply[nothing]{}, nil })
		}
	}
	r.Freeze()
	rapid.Check(t, func(t *rapid.T) {
		m := r.table.mounts[rapid.IntRange(0, 1).Draw(t, "mount")]
		bare := *m
		bare.plain = nil
		path := strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "m", "p", "7", "", "é\n", "{x}", "%", "."}), 0, 5).Draw(t, "segments"), "/")
		req := &http.Request{URL: &url.URL{Path: m.mount.Prefix + "/" + path},
			Method: rapid.SampledFrom([]string{"GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "get"}).Draw(t, "method")}
		op, params, allowed := m.match(req)
		wantOp, wantParams, wantAllowed := bare.match(req)
		if op != wantOp || !slices.Equal(params, wantParams) || !slices.Equal(allowed, wantAllowed) {
			t.Fatalf("%s %q: %v %q %q, mux: %v %q %q", req.Method, req.URL.Path, op, params, allowed, wantOp, wantParams, wantAllowed)
		}
	})
	if plain := r.table.mounts[0].plain; len(plain[segmentKey{"a", 2}]) != 1 || len(plain[segmentKey{"a", 3}]) != 3 || len(plain[segmentKey{"p", 2}]) != 0 {
		t.Errorf("plain routes: %v", plain)
	}
}

func TestHeaderNamesAreCanonical(t *testing.T) {
	for _, name := range []string{
		HeaderRequestID, HeaderCorrelationID, HeaderIdempotencyKey, HeaderPosition, HeaderMinPosition, HeaderLag, "Origin", "If-Match", "Authorization",
	} {
		if canonical := http.CanonicalHeaderKey(name); canonical != name {
			t.Errorf("%s is %s to net/http", name, canonical)
		}
	}
}
