// Package addresses reads ranges of network addresses as settings name them, and
// tells from which address a request came when proxies stand in between.
package addresses

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Ranges are ranges of addresses. The zero value holds none.
type Ranges []netip.Prefix

// Parse reads CIDR prefixes ("10.1.0.0/16") and single addresses. IPv4 addresses that
// are written as IPv6 ("::ffff:10.1.2.3") are the same addresses.
func Parse(texts []string) (Ranges, error) {
	var all Ranges
	for _, text := range texts {
		p, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a range such as 10.1.0.0/16", text)
		}
		all = append(all, p)
	}
	return all, nil
}

func parse(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err == nil && a.Zone() != "" {
			err = errors.New("a zone is this machine's own name of a network")
		}
		if err != nil {
			return netip.Prefix{}, err
		}
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	const mapped = 96 // bits of ::ffff:0:0
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p.Masked(), nil
}

// Contain tells whether an address is in one of the ranges.
func (r Ranges) Contain(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(r, func(p netip.Prefix) bool { return p.Contains(a) })
}

// ForwardedFor is the header in which every proxy adds whom it was asked by.
const ForwardedFor = "X-Forwarded-For"

// Sender tells whether a request was sent by one of the addresses: whether what its
// headers say of where it came from is to be believed.
func (r Ranges) Sender(req *http.Request) bool {
	if len(r) == 0 {
		return false
	}
	a, ok := hop(req.RemoteAddr)
	return ok && r.Contain(a)
}

// Client is the address that a request came from, when proxies at these addresses are
// to be believed: the right-most of X-Forwarded-For that is not one of them. What
// stands to the left of that anybody may have written. Where a proxy names no address
// ("unknown", or what is none), nobody before it is known, and the request is taken
// to be the proxy's own. Without ranges it is the address of the connection.
//
// The text is the address alone, in one form for each; what is no address, such as
// the peer of a Unix socket, stays as it is.
func (r Ranges) Client(req *http.Request) string {
	if len(r) == 0 {
		return host(req.RemoteAddr)
	}
	at, ok := hop(req.RemoteAddr)
	if !ok {
		return host(req.RemoteAddr)
	}
	lines := req.Header[ForwardedFor]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest, more := lines[i], true; more; {
			if !r.Contain(at) {
				return at.String()
			}
			var item string
			rest, item, more = cutLast(rest)
			before, ok := hop(item)
			if !ok {
				return at.String()
			}
			at = before
		}
	}
	return at.String()
}

// cutLast takes the last item off a list; more tells whether others are left.
func cutLast(list string) (rest, item string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", strings.TrimSpace(list), false
	}
	return list[:i], strings.TrimSpace(list[i+1:]), true
}

// hop reads an address as connections and proxies write it: with or without a port,
// an IPv6 address with or without brackets.
func hop(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		if bare, found := strings.CutPrefix(text, "["); found && strings.HasSuffix(bare, "]") {
			a, err = netip.ParseAddr(strings.TrimSuffix(bare, "]"))
			if !a.Is6() {
				return netip.Addr{}, false
			}
		} else {
			var with netip.AddrPort
			with, err = netip.ParseAddrPort(text)
			a = with.Addr()
		}
	}
	return a.Unmap().WithZone(""), err == nil
}

// host is an address without its port.
func host(address string) string {
	h, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return h
}
