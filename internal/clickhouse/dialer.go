package clickhouse

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// dialer connects to one of several addresses of the same server or cluster.
// It stays with the one that served last, because another replica may lag
// behind what was just written, and goes on to the next when that is away.
type dialer struct {
	addresses []string
	tls       *tls.Config
	patience  time.Duration // for one address

	mu      sync.Mutex
	current int
	open    map[*routed]struct{} // connections, so that a server that hangs can be left
}

// minPatience is the least time that one address gets to answer.
const minPatience = time.Second

func newDialer(addresses []string, secure *tls.Config) *dialer {
	return &dialer{
		addresses: addresses, tls: secure, open: map[*routed]struct{}{},
		patience: max(dialTimeout/time.Duration(len(addresses)+1), minPatience),
	}
}

// each tries the addresses, beginning with the one in use, until one succeeds.
func (d *dialer) each(ctx context.Context, try func(ctx context.Context, address string) error) error {
	d.mu.Lock()
	first := d.current
	d.mu.Unlock()
	var faults []error
	for i := range d.addresses {
		n := (first + i) % len(d.addresses)
		err := d.attempt(ctx, d.addresses[n], try)
		if err == nil {
			d.mu.Lock()
			d.current = n
			d.mu.Unlock()
			return nil
		}
		if faults = append(faults, err); ctx.Err() != nil {
			break
		}
	}
	return errors.Join(faults...)
}

func (d *dialer) attempt(ctx context.Context, address string, try func(context.Context, string) error) error {
	if len(d.addresses) > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.patience)
		defer cancel()
	}
	return try(ctx, address)
}

// dial is for http.Transport: whatever the request is addressed to, it goes to
// one of ours.
func (d *dialer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return d.connect(ctx, func(ctx context.Context, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	})
}

// dialTLS does so with TLS; the certificate must be that of the host that is used.
func (d *dialer) dialTLS(ctx context.Context, network, _ string) (net.Conn, error) {
	return d.connect(ctx, func(ctx context.Context, address string) (net.Conn, error) {
		return (&tls.Dialer{Config: d.tls}).DialContext(ctx, network, address)
	})
}

func (d *dialer) connect(ctx context.Context, dial func(context.Context, string) (net.Conn, error)) (net.Conn, error) {
	var r *routed
	err := d.each(ctx, func(ctx context.Context, address string) error {
		conn, err := dial(ctx, address)
		if err != nil {
			return err
		}
		r = &routed{Conn: conn, dialer: d}
		return nil
	})
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[r] = struct{}{}
	return r, nil
}

// leave goes on to the next address, if there is one, and cuts what is
// connected now: a server may hold connections and answer none.
func (d *dialer) leave() {
	if len(d.addresses) < 2 {
		return
	}
	d.mu.Lock()
	d.current = (d.current + 1) % len(d.addresses)
	held := d.open
	d.open = map[*routed]struct{}{}
	d.mu.Unlock()
	for r := range held {
		_ = r.Conn.Close() // whoever uses it is told by its next read
	}
}

// routed is a connection that its dialer knows of.
type routed struct {
	net.Conn
	dialer *dialer
}

// Close implements net.Conn.
func (r *routed) Close() error {
	r.dialer.mu.Lock()
	delete(r.dialer.open, r)
	r.dialer.mu.Unlock()
	return r.Conn.Close()
}

// How often, and after which first pause, a statement that only reads is sent
// again when its connection broke.
const (
	readAttempts = 4
	readPause    = 50 * time.Millisecond
)

// patient sends statements that only read again when their connection broke.
// What writes is left to whoever sent it: it may have succeeded.
type patient struct{ next *http.Transport }

// RoundTrip implements http.RoundTripper.
func (p *patient) RoundTrip(req *http.Request) (*http.Response, error) {
	if !onlyReads(req) {
		return p.next.RoundTrip(req)
	}
	pause := readPause
	for attempt := 1; ; attempt++ {
		again := req.Clone(req.Context())
		body, err := req.GetBody()
		if err != nil {
			return nil, err
		}
		again.Body = body
		res, err := p.next.RoundTrip(again)
		if err == nil || attempt == readAttempts || !Unreachable(err) || req.Context().Err() != nil {
			return res, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-req.Context().Done():
			timer.Stop()
			return nil, err
		}
		pause *= 2
	}
}

// CloseIdleConnections closes the connections that nobody uses; the driver
// calls it through http.Client.
func (p *patient) CloseIdleConnections() { p.next.CloseIdleConnections() }

// onlyReads tells whether a request is a SELECT.
func onlyReads(req *http.Request) bool {
	if req.GetBody == nil || req.URL.Query().Has("query") { // the body may be rows
		return false
	}
	body, err := req.GetBody()
	if err != nil {
		return false
	}
	defer body.Close()
	head := make([]byte, len("SELECT "))
	if _, err := io.ReadFull(body, head); err != nil {
		return false
	}
	return strings.EqualFold(string(head), "SELECT ")
}
