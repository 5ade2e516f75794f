package edge

import (
	"net/http/httputil"
	"strings"

	"strata/internal/addresses"
)

// forward tells a node where a request came from. Whoever asks could write these
// headers, so they are made anew; only what a proxy says that is to be believed is
// kept, and added to.
func (e *Edge) forward(p *httputil.ProxyRequest) {
	out := p.Out.Header
	for name := range out {
		if isForwarded(name) {
			delete(out, name)
		}
	}
	if !e.cfg.Proxies.Sender(p.In) {
		p.SetXForwarded()
		return
	}
	out[addresses.ForwardedFor] = p.In.Header[addresses.ForwardedFor]
	p.SetXForwarded() // adds the proxy's own address to those before it
	for name, values := range p.In.Header {
		if isForwarded(name) && name != addresses.ForwardedFor {
			out[name] = values
		}
	}
}

// isForwarded tells whether a header says what a proxy knows of a request. Forwarded
// (RFC 7239) is not among them: no node reads it, and [httputil.ReverseProxy] drops it.
func isForwarded(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip"
}
