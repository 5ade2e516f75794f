// Package outbound makes the HTTP connections that tenants ask for: to MCP
// servers, to the URLs of HTTP tools and workflow nodes. Whoever may name a URL
// could otherwise make Strata fetch what only Strata can reach: the metadata
// service of a cloud, a database without a password on the same network, Strata's
// own ports. So addresses that are not of the public internet are refused, unless
// the administrator has named their range.
//
// The address is looked at when a connection is made, after the name has been
// resolved: a name that points to a private address, or begins to do so between a
// check and the connection, is refused like the address itself.
package outbound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"strata/internal/addresses"
)

// Everywhere, in a list of ranges, allows every address.
const Everywhere = "all"

// Guard says which addresses may be connected to.
type Guard struct {
	all     bool
	allowed addresses.Ranges
}

// Blocked says that a connection was refused for its address.
type Blocked struct{ Address netip.Addr }

// Error implements error. It names the setting, because nobody else can.
func (b *Blocked) Error() string {
	return fmt.Sprintf("%s is not an address of the public internet; the setting outbound.private can allow it", b.Address)
}

// New makes a guard. private are the ranges beside the public internet that may
// be reached: CIDR prefixes ("10.1.0.0/16"), single addresses, or [Everywhere].
func New(private []string) (*Guard, error) {
	ranges := slices.DeleteFunc(slices.Clone(private), func(text string) bool { return text == Everywhere })
	allowed, err := addresses.Parse(ranges)
	if err != nil {
		return nil, fmt.Errorf("%w, nor %q", err, Everywhere)
	}
	return &Guard{all: len(ranges) < len(private), allowed: allowed}, nil
}

// special are ranges that are not the public internet, though netip's own
// questions do not find them.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // carriers' own
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // relays of 6to4
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, broadcast
	"64:ff9b::/96",    // IPv4 behind a translator: may be any of the above
	"64:ff9b:1::/48",  // as before
	"100::/64",        // discard
	"2001::/23",       // protocol assignments, Teredo
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4: holds an IPv4 address
	"3fff::/20",       // documentation
	"fec0::/10",       // site-local, deprecated
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// Permits tells whether an address may be connected to. The error is a *Blocked.
func (g *Guard) Permits(a netip.Addr) error {
	a = a.Unmap().WithZone("")
	within := func(p netip.Prefix) bool { return p.Contains(a) }
	if g.all || g.allowed.Contain(a) {
		return nil
	}
	if !a.IsGlobalUnicast() || a.IsPrivate() || slices.ContainsFunc(special, within) {
		return &Blocked{Address: a}
	}
	return nil
}

// connectTimeout bounds one try to connect.
const connectTimeout = 10 * time.Second

// Dial connects to "host:port" if the guard permits the address it resolves to.
func (g *Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: connectTimeout, Control: func(_, resolved string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return fmt.Errorf("read the address %q: %w", resolved, err)
		}
		return g.Permits(a.Addr())
	}}
	return d.DialContext(ctx, network, address)
}

// Transport makes a transport whose connections the guard permits. It uses no
// proxy of the environment: that would resolve names behind the guard's back.
func (g *Guard) Transport() *http.Transport {
	return &http.Transport{
		DialContext: g.Dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: connectTimeout,
		MaxIdleConns: 100, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// Reason says in a few words, fit for a caller, why a connection or request
// failed: without the URL, which may hold a credential.
func Reason(err error) string {
	if b, ok := errors.AsType[*Blocked](err); ok {
		return b.Error()
	}
	if d, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name " + d.Name + " cannot be resolved"
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "it did not answer in time"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "the connection was reset"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Op + ": " + op.Err.Error()
	}
	return "the connection failed"
}
