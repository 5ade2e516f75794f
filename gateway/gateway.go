package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"

	"strata/domain"
	"strata/gateway/builtin"
	"strata/gateway/pricing"
	"strata/gateway/upstream"
)

// Config wires a gateway. Directory, Budgets and Recorder are required; every
// other field has a default.
type Config struct {
	Directory Directory
	// Unlock puts what a provider's API key refers to in its place, for one call; nil:
	// keys refer to nothing.
	Unlock   func(ctx context.Context, workspace string, p *Provider) error
	Budgets  Budgets
	Recorder Recorder

	Prices    *pricing.Table    // default: the table that comes with Strata
	Metrics   Metrics           // default: none
	Logger    *slog.Logger      // default: discards
	Tracer    trace.Tracer      // default: the global provider's, a no-op until one is set
	Transport http.RoundTripper // to providers; default: upstream.NewTransport

	Timeouts upstream.Timeouts // a provider's configuration may override them
	Retry    Retry             // default: 2 attempts, 200 ms growing to 2 s
	Breaker  Breaker           // default: opens for 30 s after 5 failures in a row

	// AccountTimeout bounds recording and settling, which go on when the client
	// has gone. Default 10 s.
	AccountTimeout time.Duration
	// MaxPayload is the most bytes of a request, and of an answer, that are kept
	// in the record; a longer one is replaced by its beginning. Default 512 KiB.
	MaxPayload int

	// At is called with the name of a point of a call that has been reached, for
	// tests that stop a process there. Default: nothing.
	At func(point string)

	Now   func() time.Time                                 // default time.Now
	NewID func(prefix string) string                       // default domain.NewID
	Rand  func() float64                                   // in [0,1), safe for concurrent use; default math/rand/v2
	Wait  func(ctx context.Context, d time.Duration) error // between attempts; default a timer
}

// Breaker says when a failing target is left alone.
type Breaker struct {
	Failures int           // in a row until it opens
	OpenFor  time.Duration // until one request may probe it
}

func (c *Config) validate() error {
	var faults []error
	if c.Directory == nil {
		faults = append(faults, errors.New("gateway: Directory is required"))
	}
	if c.Budgets == nil {
		faults = append(faults, errors.New("gateway: Budgets is required"))
	}
	if c.Recorder == nil {
		faults = append(faults, errors.New("gateway: Recorder is required"))
	}
	return errors.Join(faults...)
}

func (c *Config) setDefaults() error {
	if c.Prices == nil {
		table, err := pricing.Default()
		if err != nil {
			return fmt.Errorf("gateway: %w", err)
		}
		c.Prices = table
	}
	if c.Metrics == nil {
		c.Metrics = noMetrics{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Tracer == nil {
		c.Tracer = otel.Tracer("strata/gateway")
	}
	if c.Transport == nil {
		c.Transport = upstream.NewTransport(c.Timeouts.Connect)
	}
	c.Timeouts = c.Timeouts.WithDefaults()
	c.Retry = c.Retry.or(Retry{MaxAttempts: 2, Backoff: 200 * time.Millisecond, MaxBackoff: 2 * time.Second})
	if c.Breaker.Failures <= 0 {
		c.Breaker.Failures = 5
	}
	if c.Breaker.OpenFor <= 0 {
		c.Breaker.OpenFor = 30 * time.Second
	}
	if c.AccountTimeout <= 0 {
		c.AccountTimeout = 10 * time.Second
	}
	if c.MaxPayload <= 0 {
		c.MaxPayload = 512 << 10
	}
	if c.At == nil {
		c.At = func(string) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = domain.NewID
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	if c.Wait == nil {
		c.Wait = wait
	}
	return nil
}

// or fills what is zero from d.
func (r Retry) or(d Retry) Retry {
	if r.MaxAttempts <= 0 {
		r.MaxAttempts = d.MaxAttempts
	}
	if r.Backoff <= 0 {
		r.Backoff = d.Backoff
	}
	if r.MaxBackoff <= 0 {
		r.MaxBackoff = max(d.MaxBackoff, r.Backoff)
	}
	return r
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Gateway calls models. It is safe for concurrent use, starts no goroutines of
// its own and needs no closing.
type Gateway struct {
	Config
	builtin *builtin.Backend
	health  *health
	clients sync.Map // workspace/provider → *connected
	turns   sync.Map // workspace/route → *atomic.Uint64, for round robin
}

// New checks the configuration and returns a gateway.
func New(c Config) (*Gateway, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	if err := c.setDefaults(); err != nil {
		return nil, err
	}
	return &Gateway{
		Config:  c,
		builtin: builtin.New(c.Now, c.NewID),
		health:  newHealth(c.Breaker, c.Now, c.Metrics.Breaker),
	}, nil
}

// turn returns how often it was called before for a route.
func (g *Gateway) turn(workspace, route string) uint64 {
	counter, ok := g.turns.Load(workspace + "/" + route)
	if !ok {
		counter, _ = g.turns.LoadOrStore(workspace+"/"+route, new(atomic.Uint64))
	}
	return counter.(*atomic.Uint64).Add(1) - 1
}
