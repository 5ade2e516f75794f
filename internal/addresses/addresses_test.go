package addresses_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"strata/internal/addresses"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		ranges, address string
		contained       bool
	}{
		{"", "10.0.0.1", false},
		{"10.0.0.0/8", "10.9.8.7", true},
		{"10.1.2.3/8", "10.9.8.7", true}, // bits behind the prefix do not count
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.0.0.1", true},
		{"10.0.0.1", "10.0.0.1", true},
		{"10.0.0.1", "10.0.0.2", false},
		{"::ffff:10.0.0.1", "10.0.0.1", true},
		{"::ffff:10.0.0.0/104", "10.9.8.7", true},
		{"::ffff:10.0.0.0/104", "11.0.0.1", false},
		{"fd00::/8 10.0.0.0/8", "fd12::1", true},
		{"fe80::/10", "fe80::1%eth0", true},
		{"::/0", "10.0.0.1", false},
		{"0.0.0.0/0", "10.0.0.1", true},
	} {
		r, err := addresses.Parse(strings.Fields(c.ranges))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Contain(netip.MustParseAddr(c.address)); got != c.contained {
			t.Errorf("%q contains %s: %v", c.ranges, c.address, got)
		}
	}
	for _, bad := range []string{"proxy", "10.0.0", "10.0.0.0/33", "fe80::1%eth0", "10.0.0.1:80", "all"} {
		if _, err := addresses.Parse([]string{"::1", bad}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestClient(t *testing.T) {
	const proxies = "10.0.0.0/8 fd00::/8"
	for _, c := range []struct {
		name, trusted, peer string
		forwarded           []string // values of the header
		want                string
	}{
		{"nobody is trusted", "", "10.0.0.1:1234", []string{"192.0.2.1"}, "10.0.0.1"},
		{"nobody is trusted, IPv6", "", "[2001:db8::1]:1234", nil, "2001:db8::1"},
		{"no port", "", "10.0.0.1", nil, "10.0.0.1"},
		{"a Unix socket", proxies, "@", []string{"192.0.2.1"}, "@"},
		{"the peer is not trusted", proxies, "198.51.100.7:1", []string{"192.0.2.1"}, "198.51.100.7"},
		{"a trusted peer that says nothing", proxies, "10.0.0.1:1", nil, "10.0.0.1"},
		{"one proxy", proxies, "10.0.0.1:1", []string{"192.0.2.1"}, "192.0.2.1"},
		{"what the client made up", proxies, "10.0.0.1:1", []string{"203.0.113.9, 192.0.2.1"}, "192.0.2.1"},
		{"a trusted address that the client made up", proxies, "10.0.0.1:1", []string{"10.9.9.9, 192.0.2.1"}, "192.0.2.1"},
		{"two proxies", proxies, "10.0.0.1:1", []string{"192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"two proxies, a line each", proxies, "10.0.0.1:1", []string{"192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
		{"two proxies, one of them not trusted", proxies, "10.0.0.1:1", []string{"192.0.2.1, 198.51.100.7"}, "198.51.100.7"},
		{"only proxies", proxies, "10.0.0.1:1", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"blanks", proxies, "10.0.0.1:1", []string{" \t192.0.2.1\t ,  10.0.0.2 "}, "192.0.2.1"},
		{"ports", proxies, "10.0.0.1:1", []string{"192.0.2.1:5555, 10.0.0.2:80"}, "192.0.2.1"},
		{"IPv6", proxies, "[fd00::1]:1", []string{"2001:DB8::1, fd00::2"}, "2001:db8::1"},
		{"IPv6 in brackets", proxies, "[fd00::1]:1", []string{"[2001:db8::1], [fd00::2]:80"}, "2001:db8::1"},
		{"IPv6 with a zone", proxies, "[fd00::1]:1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"IPv4 written as IPv6", proxies, "[::ffff:10.0.0.1]:1", []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a proxy that does not know", proxies, "10.0.0.1:1", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		{"what is malformed is not passed over", proxies, "10.0.0.1:1", []string{"192.0.2.1, 10.0.0.300, 10.0.0.2"}, "10.0.0.2"},
		{"an empty header", proxies, "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"an empty item", proxies, "10.0.0.1:1", []string{"192.0.2.1,"}, "10.0.0.1"},
		{"an empty line behind a good one", proxies, "10.0.0.1:1", []string{"192.0.2.1", ""}, "10.0.0.1"},
		{"what is malformed behind the client does not matter", proxies, "10.0.0.1:1", []string{"%$, 192.0.2.1"}, "192.0.2.1"},
		{"IPv4 in brackets is no address", proxies, "10.0.0.1:1", []string{"[192.0.2.1]"}, "10.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trusted, err := addresses.Parse(strings.Fields(c.trusted))
			if err != nil {
				t.Fatal(err)
			}
			r := &http.Request{RemoteAddr: c.peer, Header: http.Header{addresses.ForwardedFor: c.forwarded}}
			if got := trusted.Client(r); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// Whatever stands in front of what a trusted proxy added, the answer is what it
// added; and whatever the header is, the answer is an address.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{"", ",", "192.0.2.1", "10.0.0.2, unknown", "[::1]:80,[", "10.0.0.1:99999", "::ffff:10.0.0.1"} {
		f.Add(seed)
	}
	trusted, err := addresses.Parse([]string{"10.0.0.0/8"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:80", Header: http.Header{addresses.ForwardedFor: {sent}}}
		if got := trusted.Client(r); !netip.MustParseAddr(got).IsValid() {
			t.Errorf("%q: %s", sent, got)
		}
		for _, lines := range [][]string{{sent + ", 192.0.2.1"}, {sent, "192.0.2.1"}, {sent, "192.0.2.1", "10.0.0.7"}, {sent + ",192.0.2.1,10.0.0.7"}} {
			r.Header[addresses.ForwardedFor] = lines
			if got := trusted.Client(r); got != "192.0.2.1" {
				t.Errorf("%q: %s", lines, got)
			}
		}
		r.RemoteAddr = "198.51.100.7:80"
		if got := trusted.Client(r); got != "198.51.100.7" {
			t.Errorf("%q of somebody else: %s", sent, got)
		}
	})
}
