package edge

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// node is a process of the installation.
type node struct {
	url     *url.URL
	healthy atomic.Bool

	mu      sync.Mutex
	waiting map[*context.CancelFunc]bool // requests to it that may go elsewhere, until it begins to answer
}

// await lets a request be given up when the node is found to be silent: one that
// is stopped accepts requests and never answers. The function it returns ends that.
func (n *node) await(giveUp context.CancelFunc) (answered func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.waiting == nil {
		n.waiting = map[*context.CancelFunc]bool{}
	}
	n.waiting[&giveUp] = true
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.waiting, &giveUp)
	}
}

func (n *node) giveUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for cancel := range n.waiting {
		(*cancel)()
	}
}

// NodeStatus tells how a node is.
type NodeStatus struct {
	Node    string   `json:"node"` // host and port
	Rooms   []string `json:"rooms"`
	Healthy bool     `json:"healthy"`
}

// Status tells how the nodes are, and whether each room has one that answers.
func (e *Edge) Status() (all []NodeStatus, ready bool) {
	ready = true
	answering := map[string]bool{}
	for _, n := range e.nodes {
		s := NodeStatus{Node: n.url.Host, Rooms: []string{}, Healthy: n.healthy.Load()}
		for _, room := range []string{Write, Read} {
			for _, m := range e.rooms[room] {
				if m == n {
					s.Rooms = append(s.Rooms, room)
					answering[room] = answering[room] || s.Healthy
				}
			}
		}
		all = append(all, s)
	}
	return all, answering[Write] && answering[Read]
}

// Run checks the nodes until ctx ends.
func (e *Edge) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, n := range e.nodes {
		all.Go(func() { e.watch(ctx, n) })
	}
	all.Wait()
	e.cfg.Transport.CloseIdleConnections()
	return ctx.Err()
}

func (e *Edge) watch(ctx context.Context, n *node) {
	tick := time.NewTicker(e.cfg.CheckEvery)
	defer tick.Stop()
	for {
		err := e.check(ctx, n)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			e.silent(n, err)
			if _, answers := errors.AsType[*notReady](err); !answers {
				n.giveUp()
			}
		} else if !n.healthy.Swap(true) {
			e.cfg.Logger.InfoContext(ctx, "a node answers again", "node", n.url.Host)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// silent notes that a node does not answer.
func (e *Edge) silent(n *node, why error) {
	if n.healthy.Swap(false) {
		e.cfg.Logger.Warn("a node does not answer; others take its requests", "node", n.url.Host, "error", why)
	}
}

// check asks a node whether it is ready.
func (e *Edge) check(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.CheckWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url.JoinPath("/readyz").String(), nil)
	if err != nil {
		return err
	}
	res, err := e.cfg.Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }() // nothing of it is needed
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, 1<<20)); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return &notReady{res.Status}
	}
	return nil
}

// notReady is a node that answers that it cannot serve now.
type notReady struct{ status string }

// Error implements error.
func (n *notReady) Error() string { return "it answers " + n.status }
