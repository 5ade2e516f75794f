package edge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata/internal/addresses"
)

// Headers of the protocol that the edge speaks with nodes, and of its answers.
const (
	headerPosition       = "Strata-Position"
	headerMinPosition    = "Strata-Min-Position"
	headerIdempotencyKey = "Idempotency-Key"
	// HeaderNode names the node that answered. In a request it chooses the node,
	// for operations that concern one node.
	HeaderNode = "Strata-Node"
)

// Rooms of operations, as nodes divide them among themselves.
const (
	Write = "write"
	Read  = "read"
	// Admin operations concern one node: that of the request's Strata-Node, else
	// the first that reads, so that what one request began the next one finds.
	Admin = "admin"
)

// Config says where nodes are and what they serve. Room, Writers and Readers are needed.
type Config struct {
	Writers []string // URLs
	Readers []string
	Others  []string // reached through Strata-Node only
	// Room tells to which room the operation of a request belongs; false for what
	// is no operation: pages, which any reader has.
	Room func(*http.Request) (room string, ok bool)
	// Refuse answers a request that no node could.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)

	// Proxies may be in front and tell truly where a request came from: what they say
	// in X-Forwarded headers goes on to nodes. What anybody else says does not.
	Proxies addresses.Ranges

	CheckEvery  time.Duration         // between two health checks of a node; default 1 s
	CheckWithin time.Duration         // for its answer; default 2 s
	Logger      *slog.Logger          // default: discards
	Metrics     prometheus.Registerer // nil: none are shown
	Transport   *http.Transport
}

// ErrNoNode: none of the nodes that could have answered was there.
var ErrNoNode = errors.New("no node answers")

// ErrUnknownOutcome: a node went away in the middle of a request that must not be
// sent twice.
var ErrUnknownOutcome = errors.New("the node went away before it had answered; whether the request was carried out is not known")

// Edge is the proxy. It is an http.Handler; Run keeps its nodes checked.
type Edge struct {
	cfg       Config
	nodes     []*node
	rooms     map[string][]*node
	positions *Positions
	proxy     *httputil.ReverseProxy
	turn      turns
	meters    *meters
}

// New makes an edge. Its nodes count as healthy until they are found not to be.
func New(cfg Config) (*Edge, error) {
	cfg.CheckEvery = cmp.Or(cfg.CheckEvery, time.Second)
	cfg.CheckWithin = cmp.Or(cfg.CheckWithin, 2*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Transport == nil {
		cfg.Transport = &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: 1024, IdleConnTimeout: 90 * time.Second, DisableCompression: true}
	}
	e := &Edge{cfg: cfg, rooms: map[string][]*node{}, positions: NewPositions(), meters: newMeters()}
	for _, room := range []struct {
		name string
		urls []string
	}{{Write, cfg.Writers}, {Read, cfg.Readers}, {"", cfg.Others}} {
		for _, text := range room.urls {
			n, err := e.node(text)
			if err != nil {
				return nil, err
			}
			e.rooms[room.name] = append(e.rooms[room.name], n)
		}
	}
	if len(e.rooms[Write]) == 0 || len(e.rooms[Read]) == 0 {
		return nil, errors.New("edge: it needs the URL of a node that writes and of one that reads")
	}
	e.proxy = &httputil.ReverseProxy{
		Rewrite:        e.rewrite,
		Transport:      roundTripper(e.send),
		ModifyResponse: e.learn,
		ErrorHandler:   e.refuse,
		ErrorLog:       slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
		FlushInterval:  -1, // frames of streams are for now
	}
	e.register(cfg.Metrics)
	return e, nil
}

// refuse answers a request that no node could.
func (e *Edge) refuse(w http.ResponseWriter, r *http.Request, err error) {
	routeOf(r.Context()).refused = err
	e.cfg.Refuse(w, r, err)
}

// node returns the node at a URL, which may be in several rooms.
func (e *Edge) node(text string) (*node, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("edge: %q is not the URL of a node, such as http://10.0.0.5:8000", text)
	}
	for _, n := range e.nodes {
		if n.url.Host == u.Host {
			return n, nil
		}
	}
	n := &node{url: u}
	n.healthy.Store(true)
	e.nodes = append(e.nodes, n)
	return n, nil
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// ServeHTTP implements http.Handler.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	room, known := e.cfg.Room(r)
	if !known {
		room = Read
	}
	caller := callerOf(r)
	way := &route{room: room, caller: caller}
	ctx := context.WithValue(r.Context(), routeKey{}, way)
	started := time.Now()
	e.meters.inFlight.Inc()
	defer func() { e.meters.ended(ctx, way, time.Since(started)) }() // also of an answer that is cut, which panics
	if known && e.unbound(r) {
		if at := e.positions.Last(caller); at != "" {
			r.Header.Set(headerMinPosition, at)
		}
	}
	// A node may refuse a body before it has come; the answer must not wait for it.
	// Writers of other protocols than HTTP/1.1 do not need to be told.
	_ = http.NewResponseController(w).EnableFullDuplex()
	e.proxy.ServeHTTP(w, r.WithContext(ctx))
	endBody(w, r)
}

// endBody reads what no node has read of a request's body, as the server would after the
// handler. In full duplex that is too late: at the body's end the server begins to watch
// the connection, nobody stops that any more, and reading the next request panics.
func endBody(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 {
		return // so that a connection that was taken over is left alone
	}
	_ = http.NewResponseController(w).Flush() // the answer does not wait for the rest
	_ = r.Body.Close()
}

// unbound tells whether a read does not say itself what it has to include.
func (e *Edge) unbound(r *http.Request) bool {
	if r.Header.Get(headerMinPosition) != "" {
		return false
	}
	q := r.URL.Query()
	return !q.Has("min_position") && !q.Has("minPosition")
}

// callerOf tells whose writes a read must include; "" when nobody can be told.
func callerOf(r *http.Request) string {
	return cmp.Or(r.Header.Get("Authorization"), r.URL.Query().Get("access_token"))
}

type routeKey struct{}

// route is what the edge knows of a request on its way.
type route struct {
	room, caller string
	status       int   // of the node's answer; 0: none yet
	refused      error // why the edge answered itself
}

func routeOf(ctx context.Context) *route {
	if r, ok := ctx.Value(routeKey{}).(*route); ok {
		return r
	}
	return &route{}
}

// rewrite prepares the request to a node; which one is decided in send.
func (e *Edge) rewrite(p *httputil.ProxyRequest) {
	e.forward(p)
	p.Out.Host = p.In.Host
	p.Out.URL.Scheme, p.Out.URL.Host = "http", p.In.Host
}

// learn remembers the position that an answer tells, now or at its end.
func (e *Edge) learn(res *http.Response) error {
	way := routeOf(res.Request.Context())
	way.status = res.StatusCode
	caller := way.caller
	if caller == "" || res.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	e.positions.Wrote(caller, res.Header.Get(headerPosition))
	res.Body = &ending{ReadCloser: res.Body, ended: func() { e.positions.Wrote(caller, res.Trailer.Get(headerPosition)) }}
	return nil
}
