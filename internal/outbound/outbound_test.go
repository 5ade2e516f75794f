package outbound_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"strata/internal/outbound"
)

func TestPermits(t *testing.T) {
	for _, c := range []struct {
		private string // ranges, separated by blanks
		address string
		ok      bool
	}{
		{"", "93.184.216.34", true},
		{"", "2606:2800:220:1::1", true},
		{"", "127.0.0.1", false},
		{"", "127.8.9.1", false},
		{"", "::1", false},
		{"", "::ffff:127.0.0.1", false},
		{"", "0.0.0.0", false},
		{"", "0.1.2.3", false},
		{"", "::", false},
		{"", "10.0.0.1", false},
		{"", "172.16.0.1", false},
		{"", "172.32.0.1", true},
		{"", "192.168.1.1", false},
		{"", "169.254.169.254", false}, // where clouds keep credentials
		{"", "fe80::1%eth0", false},
		{"", "fd00:ec2::254", false},
		{"", "100.64.0.1", false},
		{"", "100.128.0.1", true},
		{"", "224.0.0.1", false},
		{"", "255.255.255.255", false},
		{"", "64:ff9b::7f00:1", false},
		{"", "2002:7f00:1::", false},
		{"127.0.0.0/8", "127.0.0.1", true},
		{"127.0.0.0/8", "::ffff:127.0.0.1", true},
		{"127.0.0.0/8", "::1", false},
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"10.1.0.0/16 ::1", "::1", true},
		{"10.1.0.0/16 ::1", "10.1.2.3", true},
		{"10.1.0.0/16 ::1", "10.2.2.3", false},
		{"fe80::/10", "fe80::1%eth0", true},
		{"all", "169.254.169.254", true},
	} {
		g, err := outbound.New(strings.Fields(c.private))
		if err != nil {
			t.Fatal(err)
		}
		err = g.Permits(netip.MustParseAddr(c.address))
		if (err == nil) != c.ok {
			t.Errorf("with %q, %s: %v, want permitted %v", c.private, c.address, err, c.ok)
		}
	}
	for _, bad := range []string{"localhost", "10.0.0.0/99", "", "*"} {
		if _, err := outbound.New([]string{bad}); err == nil {
			t.Errorf("%q is taken for a range", bad)
		}
	}
}

// A name is judged by what it resolves to, at the time of the connection.
func TestTransportRefusesPrivateAddresses(t *testing.T) {
	asked := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer s.Close()
	get := func(url string, private ...string) error {
		g, err := outbound.New(private)
		if err != nil {
			t.Fatal(err)
		}
		transport := g.Transport()
		defer transport.CloseIdleConnections()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(req)
		if err == nil {
			res.Body.Close()
		}
		return err
	}
	for _, url := range []string{s.URL, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)} {
		err := get(url)
		if b, ok := errors.AsType[*outbound.Blocked](err); !ok || !b.Address.IsLoopback() || asked {
			t.Errorf("%s: %v", url, err)
		}
		if !strings.Contains(outbound.Reason(err), "outbound.private") {
			t.Errorf("the reason does not name the setting: %s", outbound.Reason(err))
		}
		if err := get(url, "127.0.0.0/8", "::1"); err != nil || !asked {
			t.Errorf("%s is refused though it is allowed: %v", url, err)
		}
		asked = false
	}
	s.Close()
	if reason := outbound.Reason(get(s.URL, outbound.Everywhere)); reason != "connection refused" {
		t.Errorf("reason: %s", reason)
	}
	if reason := outbound.Reason(context.DeadlineExceeded); reason != "it did not answer in time" {
		t.Errorf("reason: %s", reason)
	}
}
