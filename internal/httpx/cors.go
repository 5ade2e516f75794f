package httpx

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// cors answers browsers that ask whether another site may call the API: pages
// of the same origin always may, those of localhost and the configured origins
// too. Credentials are bearer tokens, so cookies are never allowed along.
type cors struct {
	any     bool
	origins []string
}

const (
	corsHeaders = "Authorization, Content-Type, Idempotency-Key, If-Match, X-Request-Id, X-Correlation-Id, Strata-Min-Position, Last-Event-Id"
	corsExposed = "ETag, X-Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, Strata-Position, Strata-Lag, Location"
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
)

func newCORS(origins []string) *cors {
	return &cors{any: slices.Contains(origins, "*"), origins: origins}
}

// apply sets the headers for a cross-origin request and answers preflights; it
// returns true when the request is answered.
func (c *cors) apply(x *exchange, m *mountTable) bool {
	origin := sent(x.r.Header, "Origin")
	if x.r.Method == http.MethodOptions && x.op == nil {
		return c.preflight(x, m, origin)
	}
	if origin != "" {
		h := x.Header()
		h.Add("Vary", "Origin")
		if c.allows(origin, x.r.Host) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Expose-Headers", corsExposed)
		}
	}
	return false
}

func (c *cors) preflight(x *exchange, m *mountTable, origin string) bool {
	probe := *x.r
	probe.Method = x.r.Header.Get("Access-Control-Request-Method")
	op, _, allowed := m.match(&probe)
	if op == nil && len(allowed) == 0 {
		return false // there is nothing here: answered as any unknown path
	}
	h := x.Header()
	h.Add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Allow", corsMethods+", OPTIONS")
	if origin != "" && c.allows(origin, x.r.Host) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", "600")
	}
	x.WriteHeader(http.StatusNoContent)
	return true
}

// allows tells whether pages of an origin may read answers of this host.
func (c *cors) allows(origin, host string) bool {
	if c.any || slices.Contains(c.origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	name := u.Hostname()
	return u.Host == host || name == "localhost" || name == "127.0.0.1" || name == "::1" ||
		strings.HasSuffix(name, ".localhost")
}
