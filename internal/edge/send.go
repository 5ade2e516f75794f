package edge

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
)

// mostReplayed bounds the body of a write that is kept so that it can be sent
// again; larger ones are sent once.
const mostReplayed = 1 << 20

// turns spreads requests over nodes.
type turns struct{ n atomic.Uint64 }

// candidates are the nodes that may answer a request, best first.
func (e *Edge) candidates(room, named string) []*node {
	if named != "" {
		if i := slices.IndexFunc(e.nodes, func(n *node) bool { return n.url.Host == named }); i >= 0 {
			return e.nodes[i : i+1]
		}
	}
	if room == Admin {
		return healthyFirst(slices.Clone(e.rooms[Read]))[:1]
	}
	all := e.rooms[room]
	first := int(e.turn.n.Add(1) % uint64(len(all))) //nolint:gosec // less than its length
	return healthyFirst(slices.Concat(all[first:], all[:first]))
}

// healthyFirst moves nodes that do not answer behind the others: should all be
// silent, it may be the health check that is wrong.
func healthyFirst(nodes []*node) []*node {
	slices.SortStableFunc(nodes, func(a, b *node) int {
		switch x, y := a.healthy.Load(), b.healthy.Load(); {
		case x && !y:
			return -1
		case y && !x:
			return 1
		}
		return 0
	})
	return nodes
}

// send brings a request to a node, and to the next one where that is safe.
func (e *Edge) send(r *http.Request) (*http.Response, error) {
	harmless := r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions ||
		r.Header.Get(headerIdempotencyKey) != ""
	body, err := bodyOf(r, harmless)
	if err != nil {
		return nil, err
	}
	defer body.close()
	room := routeOf(r.Context()).room
	nodes := e.candidates(room, r.Header.Get(HeaderNode))
	var last error
	for i, n := range nodes {
		if i > 0 {
			e.meters.retries.WithLabelValues(room).Inc()
		}
		res, err := e.try(r, n, body, harmless && i < len(nodes)-1)
		switch {
		case r.Context().Err() != nil:
			return nil, errors.Join(r.Context().Err(), discard(res))
		case err != nil:
			last = fmt.Errorf("%s: %w", n.url.Host, err)
			e.meters.failed(n, err)
			e.silent(n, err)
			if unsent(err) && !body.used.Load() || harmless && body.again() {
				continue
			}
			return nil, errors.Join(ErrUnknownOutcome, last)
		case res.StatusCode == http.StatusServiceUnavailable && i < len(nodes)-1 && harmless && body.again():
			// It starts, stops or has lost the log: another may not.
			e.meters.failures.WithLabelValues(n.url.Host, unavailable).Inc()
			if err := discard(res); err != nil {
				return nil, err
			}
			continue
		}
		return res, nil
	}
	return nil, errors.Join(ErrNoNode, last)
}

// try sends a request to a node; it does not wait for one that turns out to be
// silent when it could go elsewhere.
func (e *Edge) try(r *http.Request, n *node, body *replay, elsewhere bool) (*http.Response, error) {
	ctx := r.Context()
	if elsewhere {
		var giveUp context.CancelFunc
		ctx, giveUp = context.WithCancel(ctx) // ends with the request's own at the latest
		defer n.await(giveUp)()
	}
	out := r.Clone(ctx)
	out.URL.Scheme, out.URL.Host = n.url.Scheme, n.url.Host
	out.Body = body.reader()
	res, err := e.cfg.Transport.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	res.Header.Set(HeaderNode, n.url.Host)
	res.Request = r
	return res, nil
}

// unsent tells whether an error says that no connection could be made.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

func discard(res *http.Response) error {
	if res == nil {
		return nil
	}
	return res.Body.Close()
}

// replay is a request's body that may have to be sent again.
type replay struct {
	original io.ReadCloser
	kept     []byte // all of it, when whole
	whole    bool
	used     atomic.Bool // the original was read from
}

// bodyOf reads the body of a request that may be sent again, unless it is large.
func bodyOf(r *http.Request, harmless bool) (*replay, error) {
	b := &replay{original: r.Body}
	if r.Body == nil || r.Body == http.NoBody {
		b.original, b.whole = nil, true
		return b, nil
	}
	if !harmless || r.ContentLength < 0 || r.ContentLength > mostReplayed {
		return b, nil
	}
	var err error
	if b.kept, err = io.ReadAll(r.Body); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	b.whole = true
	return b, nil
}

// again tells whether the body can be sent once more.
func (b *replay) again() bool { return b.whole || !b.used.Load() }

// reader is the body for one try.
func (b *replay) reader() io.ReadCloser {
	switch {
	case b.original == nil:
		return http.NoBody
	case b.whole:
		return io.NopCloser(bytes.NewReader(b.kept))
	}
	return &once{b}
}

func (b *replay) close() {
	if b.original != nil && b.whole {
		_ = b.original.Close() // it was read to its end
	}
}

// once reads the original, and notes that it did. The server closes it.
type once struct{ of *replay }

// Read implements io.Reader.
func (o *once) Read(into []byte) (int, error) {
	o.of.used.Store(true)
	return o.of.original.Read(into)
}

// Close implements io.Closer.
func (*once) Close() error { return nil }
