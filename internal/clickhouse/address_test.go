package clickhouse

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

func TestServerOptions(t *testing.T) {
	for _, c := range []struct {
		url       string
		addresses []string
		native    bool
		database  string
		user      string
		secure    bool
	}{
		{url: "http://h", addresses: []string{"h:8123"}, database: "strata"},
		{url: "http://u:p,w@a:1,b,[::1]:3/db?max_threads=2", addresses: []string{"a:1", "b:8123", "[::1]:3"}, database: "db", user: "u"},
		{url: "https://a,b:9", addresses: []string{"a:8443", "b:9"}, database: "strata", secure: true},
		{url: "clickhouse://u:p@a,b/db", addresses: []string{"a:9000", "b:9000"}, native: true, database: "db", user: "u"},
		{url: "clickhouse://a?secure=true", addresses: []string{"a:9440"}, native: true, database: "strata", secure: true},
	} {
		options, d, err := serverOptions(Config{URL: c.url})
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if !slices.Equal(d.addresses, c.addresses) || (options.Protocol == ch.Native) != c.native || options.Auth.Database != c.database ||
			options.Auth.Username != c.user || (options.TLS != nil) != c.secure {
			t.Errorf("%s: %v, %+v", c.url, d.addresses, options.Auth)
		}
	}
}

func TestCertificatesNeedTLS(t *testing.T) {
	for _, c := range []Config{
		{URL: "http://a", CAFile: "x"},
		{URL: "clickhouse://a", CertFile: "x", KeyFile: "y"},
		{URL: "https://a", CAFile: "/nowhere"},
		{URL: "https://a", CertFile: "/nowhere", KeyFile: "/nowhere"},
	} {
		if _, _, err := serverOptions(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}

// listener counts who connects to it.
func listener(t *testing.T) (l net.Listener, came *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	came = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l, came
}

func TestDialerStaysAndGoesOn(t *testing.T) {
	first, _ := listener(t)
	second, _ := listener(t)
	d := newDialer([]string{first.Addr().String(), second.Addr().String()}, nil)
	dial := func() string {
		t.Helper()
		conn, err := d.dial(t.Context(), "tcp", "whatever:1")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn.RemoteAddr().String()
	}
	if got := dial(); got != first.Addr().String() {
		t.Errorf("began with %s", got)
	}
	_ = first.Close()
	for range 2 {
		if got := dial(); got != second.Addr().String() {
			t.Errorf("went to %s when the first was away", got)
		}
	}
	held, err := d.dial(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	d.leave()
	if _, err := held.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a connection outlived leaving its server: %v", err)
	}
	_ = second.Close()
	if _, err := d.dial(t.Context(), "tcp", ""); !Unreachable(err) {
		t.Errorf("nobody is there: %v", err)
	}
}

func TestOneAddressIsNeverLeft(t *testing.T) {
	l, _ := listener(t)
	d := newDialer([]string{l.Addr().String()}, nil)
	conn, err := d.dial(t.Context(), "tcp", "")
	if err != nil {
		t.Fatal(err)
	}
	d.leave()
	if err := conn.Close(); err != nil {
		t.Errorf("the connection was cut: %v", err)
	}
}

// Only what reads is sent again: an INSERT whose connection broke may have succeeded.
func TestOnlyReadsAreRepeated(t *testing.T) {
	post := func(url, body string) *http.Request {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return req
	}
	stream := post("http://x/", "SELECT 1")
	stream.GetBody = nil
	for name, c := range map[string]struct {
		req  *http.Request
		want bool
	}{
		"select":         {post("http://x/?database=d", "SELECT 1"), true},
		"select, small":  {post("http://x/", "select 1"), true},
		"insert":         {post("http://x/", "INSERT INTO t SELECT 1"), false},
		"rows":           {post("http://x/?query=INSERT+INTO+t", "SELECT no, these are rows"), false},
		"short":          {post("http://x/", "SEL"), false},
		"not repeatable": {stream, false},
	} {
		if got := onlyReads(c.req); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if text, err := io.ReadAll(c.req.Body); err != nil || len(text) == 0 {
			t.Errorf("%s: the body was consumed", name)
		}
	}
}
