package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"strata/web"
)

var pathParameter = regexp.MustCompile(`\{[^}]+\}`)

// hostileSegments stand where a path names a resource.
var hostileSegments = []string{
	"none", "%00", "%FF%FE", "a%2Fb", "..%2F..", "%F0%9F%A6%86", "'%3B--", "%25", "-1", "99999999999999999999", strings.Repeat("x", 3000),
}

// hostileQueries are put behind every GET.
var hostileQueries = []string{
	"limit=-1", "limit=0", "limit=99999999999999999999", "limit=1e3", "offset=-5", "offset=9223372036854775807",
	"page=9223372036854775807&page_size=100", "page=-1", "page=999999", "cursor=%00%FF", "cursor=b2Zmc2V0Oi0x", "cursor=b2Zmc2V0OjkyMjMzNzIwMzY4NTQ3NzU4MDc",
	"after=%FF", "after=none", "after=18446744073709551615", "after=18446744073709551616", "sortBy=name;drop&sortOrder=up", "search=%22%27%2A%28%00%FF", "search=" + strings.Repeat("a%20", 500),
	"status=%FF", "filter=%7B", "start_date=yesterday", "start_date=9999-12-31T23:59:59Z&end_date=0001-01-01T00:00:00Z", "start_date=2024-01-01T00:00:00Z&end_date=2023-01-01T00:00:00Z",
	"min_position=18446744073709551615&limit=1", "type=%FF&subject=%00&actor=%27", "types=%FF,,*", "group_by=none", "interval=none", "%ZZ=1", "&&==&",
}

// hostileBodies are sent to everything that takes one.
var hostileBodies = []string{
	"", "null", "[]", "{}", "0", `"x"`, "{", "\xff", `{"a":1}{"b":2}`, `{"":""}`, `{"name":null}`, `{"name":7,"type":[],"config":"x"}`,
	`{"name":"` + strings.Repeat("n", 5000) + `"}`, `{"name":"\u0000","type":"chat"}`, `{"limit_usd":1e308,"name":"b","scope_type":"workspace","period":"total"}`,
	`{"limit_usd":-0.0000001,"limit_tokens":9223372036854775808}`, `{"config":{"maxTokens":1e400}}`, `{"expires_at":"never","name":"k"}`,
	`{"name":"k","expires_at":"0001-01-01T00:00:00Z"}`, `{"content":[[[[[[]]]]]],"author":"\ud800"}`, `{"state":{"":{"":{}}},"metadata":null}`,
	`{"app_id":"none","message":"hi"}`, `{"query":"\u0000\"*","limit":1e9}`, `{"variables":null,"version":-1}`, `{"messages":[{"role":"x"}],"model":"///"}`,
	`{"model":"flotorch/","messages":[{"role":"user","content":"x"}],"max_tokens":-1}`, `{"input":[[-1]],"model":"strata/embed-1"}`,
	`{"scope_type":"model","estimated_usd":1e300}`, strings.Repeat(`{"a":`, 2000) + "1" + strings.Repeat("}", 2000),
}

// Whatever a client sends, it is never answered with a fault of ours.
func TestHostileInput(t *testing.T) {
	s := install(t, t.TempDir(), func(a *app) {
		a.cfg.Server.ReadWait = 20 * time.Millisecond // positions that will never be are among what is sent
	})
	routes, err := allRoutes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range routes {
		if r.Operation == "followEvents" || r.Operation == "chatStream" || r.Operation == "streamEvents" {
			continue // need a client of their own kind
		}
		if r.Operation == "apiDocs" && !web.Built() {
			continue // a page that says it was not built
		}
		t.Run(r.Operation, func(t *testing.T) {
			t.Parallel()
			for i, segment := range hostileSegments {
				path := pathParameter.ReplaceAllString(r.Path, segment)
				if path == r.Path && i > 0 {
					break
				}
				hostile(t, s, r.Method, path, "", "")
			}
			plain := pathParameter.ReplaceAllString(r.Path, "none")
			if r.Method == http.MethodGet {
				for _, q := range hostileQueries {
					hostile(t, s, r.Method, plain, q, "")
				}
				return
			}
			for _, b := range hostileBodies {
				hostile(t, s, r.Method, plain, "", b)
			}
		})
	}
}

// hostile sends a request and looks for a fault of ours in the answer.
func hostile(t *testing.T, s *installation, method, path, query, body string) {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: s.Listener.Addr().String(), Opaque: path, RawQuery: query}
	req, err := http.NewRequest(method, s.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.URL = target
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.Client().Do(req)
	if err != nil {
		t.Errorf("%s %.80s?%.80s %.80q: %v", method, path, query, body, err)
		return
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(err)
	}
	noEngine := res.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(answer), "SERVICE_UNAVAILABLE")
	if res.StatusCode >= 500 && !noEngine {
		t.Errorf("%s %.80s?%.80s %.80q: %d %.300s", method, path, query, body, res.StatusCode, answer)
	}
	if res.StatusCode < 300 && fmt.Sprint(res.Header["X-Request-Id"]) == "[]" {
		t.Errorf("%s %s: no request id", method, path)
	}
}
