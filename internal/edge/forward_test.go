package edge_test

import (
	"net/http"
	"slices"
	"testing"

	"strata/internal/addresses"
	"strata/internal/edge"
)

// A node is told by whom the edge was asked. What the asker says of others before it
// counts only if it is a proxy that is to be believed, and then stays as it is.
func TestWhereARequestCameFrom(t *testing.T) {
	const me = "127.0.0.1" // as the edge sees who asks
	said := []string{
		"X-Forwarded-For", "203.0.113.9, 192.0.2.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "strata.example.com",
		"X-Forwarded-Port", "443", "X-Real-Ip", "203.0.113.9", "Forwarded", "for=203.0.113.9",
	}
	for _, c := range []struct {
		name    string
		trusted []string
		said    []string
		want    map[string]string // "" is none; Host is the edge's own address
	}{
		{"nothing was said", nil, nil, map[string]string{"X-Forwarded-For": me, "X-Forwarded-Proto": "http"}},
		{"nobody is trusted", nil, said, map[string]string{"X-Forwarded-For": me, "X-Forwarded-Proto": "http", "X-Forwarded-Port": "", "X-Real-Ip": "", "Forwarded": ""}},
		{"others are trusted", []string{"10.0.0.0/8"}, said, map[string]string{"X-Forwarded-For": me, "X-Forwarded-Proto": "http", "X-Forwarded-Port": "", "X-Real-Ip": "", "Forwarded": ""}},
		{"hop by hop", nil, append([]string{"Connection", "X-Forwarded-For, X-Real-Ip"}, said...), map[string]string{"X-Forwarded-For": me, "X-Real-Ip": ""}},
		{"a trusted proxy", []string{me}, said, map[string]string{
			"X-Forwarded-For": "203.0.113.9, 192.0.2.1, " + me, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "strata.example.com",
			"X-Forwarded-Port": "443", "X-Real-Ip": "203.0.113.9", "Forwarded": "",
		}},
		{"a trusted proxy that says nothing", []string{me}, nil, map[string]string{"X-Forwarded-For": me, "X-Forwarded-Proto": "http"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newFake(t, says("done"))
			s := front(t, []*fake{n}, []*fake{n}, func(cfg *edge.Config) {
				var err error
				if cfg.Proxies, err = addresses.Parse(c.trusted); err != nil {
					t.Fatal(err)
				}
			})
			if status, text, _ := ask(t, s, "POST", "/v1/x", "{}", c.said...); status != http.StatusOK {
				t.Fatal(status, text)
			}
			for name, want := range c.want {
				got := n.last().Header[name]
				if want == "" && len(got) > 0 || want != "" && !slices.Equal(got, []string{want}) {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}
