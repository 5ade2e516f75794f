package gateway

import (
	"context"
	"time"

	"strata/domain"
	"strata/gateway/upstream"
)

// job is what is asked of candidates, one after the other, until one answers.
type job struct {
	kind latencyKind
	// bound is the most tokens a candidate can read and write for it.
	bound func(c *candidate) (input, output int64)
	// send makes one request. bounded says that a budget counts on the bound.
	// Once it returns nil the client may be sent something: there is no way back.
	send func(ctx context.Context, c *candidate, bounded bool) error
}

// run resolves the call's model and tries the candidates. It returns the one that
// answered, with the reservation for it still held; or, with nothing reserved,
// the error for the client.
func (g *Gateway) run(ctx context.Context, a *account, j job) (*candidate, error) {
	cost := func(c *candidate) domain.Money { return c.price.Bound(j.bound(c)) }
	p, err := g.resolve(ctx, a.call.Workspace, a.rec.RequestedModel, cost, j.kind)
	if err != nil {
		if left := gone(ctx); left != nil {
			return nil, left
		}
		return nil, err
	}
	a.rec.Route = p.route
	var why *tryError
	for i := range p.candidates {
		c := &p.candidates[i]
		failed := g.try(ctx, a, c, p.retry, j)
		if failed == nil {
			return c, nil
		}
		a.release(ctx)
		if err := gone(ctx); err != nil {
			return nil, err
		}
		// "Left alone for a while" explains less than what another candidate said.
		if why == nil || !failed.untried || why.untried {
			why = failed
		}
		if failed.final {
			break
		}
	}
	return nil, why.err
}

// tryError is why a candidate did not answer.
type tryError struct {
	err     error
	final   bool // no other candidate would do better
	untried bool // its breaker is open
}

// try asks one candidate, as often as the retry policy and the kind of failure allow.
func (g *Gateway) try(ctx context.Context, a *account, c *candidate, retry Retry, j job) *tryError {
	a.rec.Model, a.rec.Provider, a.price = c.id, c.provider, c.price
	for attempt := 1; ; attempt++ {
		admitted, again := g.health.admit(c.key)
		if !admitted {
			return &tryError{err: breakerOpen(c, again), untried: attempt == 1}
		}
		if attempt == 1 {
			if err := a.reserve(ctx, c, j); err != nil {
				g.health.neutral(c.key)
				// Another model may have a budget of its own, or cost less.
				return &tryError{err: err, final: domain.CodeOf(err) != domain.CodeQuotaExceeded}
			}
		}
		f := g.send(ctx, a, c, j)
		if f == nil {
			return nil
		}
		failed := &tryError{err: providerError(c, f), final: !f.Elsewhere()}
		if !f.Again() || attempt >= retry.MaxAttempts || f.RetryAfter > retry.MaxBackoff {
			return failed
		}
		if g.Wait(ctx, max(f.RetryAfter, g.backoff(retry, attempt))) != nil {
			return failed // the context has ended; the caller sees so
		}
	}
}

// send makes one request and reports the candidate's health.
func (g *Gateway) send(ctx context.Context, a *account, c *candidate, j job) *upstream.Failure {
	a.rec.Attempts++
	start := g.Now()
	err := j.send(ctx, c, len(a.reservations) > 0)
	if err == nil {
		g.health.answered(c.key, j.kind, g.Now().Sub(start))
		if j.kind != firstFrame { // a stream has yet to show whether it lasts
			g.health.sound(c.key)
		}
		g.Metrics.Attempt(c.provider, "ok")
		return nil
	}
	f := upstream.AsFailure(err)
	g.Metrics.Attempt(c.provider, kindName(f.Kind))
	g.report(c, f)
	return f
}

// report counts a failure towards the candidate's breaker, if it is to blame.
func (g *Gateway) report(c *candidate, f *upstream.Failure) {
	if f.Sick() {
		g.health.failed(c.key)
	} else {
		g.health.neutral(c.key)
	}
}

// backoff doubles with every attempt and is spread over its upper half, so that
// calls that failed together do not come back together.
func (g *Gateway) backoff(r Retry, attempt int) time.Duration {
	d := min(r.Backoff<<min(attempt-1, 16), r.MaxBackoff)
	return d/2 + time.Duration(g.Rand()*float64(d/2))
}
