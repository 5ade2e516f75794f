package httpx

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"strata/internal/addresses"
	"strata/internal/ratelimit"
)

// Callers without a key are told apart by their addresses also behind a proxy, if it
// is one to be believed; what anybody else writes into the header does not help.
func TestCallersBehindAProxyAreLimitedOneByOne(t *testing.T) {
	for _, c := range []struct {
		name    string
		proxies []string
		peer    string
		from    [2]string // X-Forwarded-For of the first and the second request
		second  int       // status of the second
	}{
		{"two callers behind a proxy", []string{"10.0.0.0/8"}, "10.0.0.1:1", [2]string{"192.0.2.1", "192.0.2.2"}, http.StatusNotFound},
		{"one caller behind a proxy", []string{"10.0.0.0/8"}, "10.0.0.1:1", [2]string{"203.0.113.1, 192.0.2.1", "203.0.113.2, 192.0.2.1"}, http.StatusTooManyRequests},
		{"a caller that makes addresses up", []string{"10.0.0.0/8"}, "198.51.100.7:1", [2]string{"192.0.2.1", "192.0.2.2"}, http.StatusTooManyRequests},
		{"a proxy that is not believed", nil, "10.0.0.1:1", [2]string{"192.0.2.1", "192.0.2.2"}, http.StatusTooManyRequests},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := testOptions()
			o.Limiter = ratelimit.New(ratelimit.Config{Now: o.Now, Tiers: map[string]ratelimit.Limits{ratelimit.Anonymous: {Key: 1, Workspace: 1}}})
			var err error
			if o.Proxies, err = addresses.Parse(c.proxies); err != nil {
				t.Fatal(err)
			}
			r := newTestRouter(o)
			for i, want := range []int{http.StatusNotFound, c.second} {
				req := httptest.NewRequest("GET", "/v1/nothing", nil)
				req.RemoteAddr = c.peer
				req.Header.Set("X-Forwarded-For", c.from[i])
				rec := httptest.NewRecorder()
				r.ServeHTTP(rec, req)
				if rec.Code != want {
					t.Errorf("request %d: %d, want %d", i+1, rec.Code, want)
				}
			}
		})
	}
}
