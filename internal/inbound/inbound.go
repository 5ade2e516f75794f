// Package inbound takes in what others report of things that Strata keeps: that a
// training got on, that a place of data has gone. Reports are signed with the
// secret of the workspace's cluster, may come more than once and in any order,
// and are given to the aggregate that the reported id belongs to.
package inbound

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"strata/commands"
	"strata/domain"
)

// Update is a report.
type Update struct {
	ID      string // what it is about
	Event   string // created, updated, deleted
	Name    string
	Status  string
	Type    string
	Payload domain.Doc
	At      time.Time // when it was so, as the sender says
}

// Entity is a kind of things that can be reported on.
type Entity interface {
	// Tenant is who acts for the workspace that a thing belongs to. Errors: NOT_FOUND.
	Tenant(ctx context.Context, id string) (domain.Principal, error)
	// Report takes a report in. req names the thing, for whom, and the key that a
	// repeated report has again. Errors: NOT_FOUND, VALIDATION_ERROR, CONFLICT.
	Report(ctx context.Context, req commands.Request, u Update) (domain.Position, error)
}

// Entities are the kinds by the prefix of their ids.
type Entities map[string]Entity

// Of makes an Entity of an aggregate, whose decision on a report is report. A
// report that is older than what is known has to decide nothing.
func Of[S any](h *commands.Handler, agg *domain.Aggregate[S], report func(Update) domain.Decider[S]) Entity {
	return entity[S]{h, agg, report}
}

type entity[S any] struct {
	h      *commands.Handler
	agg    *domain.Aggregate[S]
	report func(Update) domain.Decider[S]
}

// Tenant implements Entity.
func (e entity[S]) Tenant(ctx context.Context, id string) (domain.Principal, error) {
	return commands.Load(ctx, e.h, e.agg, domain.System("", ""), id, func(l *commands.Loaded[S]) domain.Principal {
		return domain.System(l.Organization, l.Workspace)
	})
}

// Report implements Entity.
func (e entity[S]) Report(ctx context.Context, req commands.Request, u Update) (domain.Position, error) {
	out, err := commands.Run[S, struct{}](ctx, e.h, e.agg, req, e.report(u), nil)
	return out.Position, err
}

// Secrets tells what a workspace's reports are signed with. Errors: NOT_FOUND
// when the workspace takes none.
type Secrets interface {
	WebhookSecret(ctx context.Context, p domain.Principal) (string, error)
}

// Receiver takes reports in. It is safe for concurrent use.
type Receiver struct {
	Entities Entities
	Secrets  Secrets
	Now      func() time.Time
}

// Window is how far the time of a signature may be from ours, either way.
const Window = 5 * time.Minute

// Signed is what comes with a report to prove whose it is.
type Signed struct {
	Signature string // X-Webhook-Signature: sha256=<hex>
	Timestamp string // X-Webhook-Timestamp: Unix seconds
	ID        string // X-Webhook-Id, the same for a repeated report; "" when there is none
	Body      []byte // as received
}

// Sign is the signature of a body at a time, Unix seconds:
// "sha256=" and the HMAC-SHA256 of "<timestamp>.<body>" in hex.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp)) // a hash never fails to take bytes
	mac.Write([]byte("."))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// When reads the time of a signature, which must be near ours. Errors: UNAUTHORIZED.
func (r *Receiver) When(s Signed) (time.Time, error) {
	seconds, err := strconv.ParseInt(s.Timestamp, 10, 64)
	at := time.Unix(seconds, 0).UTC()
	switch {
	case s.Signature == "" || s.Timestamp == "":
		return at, domain.Errorf(domain.CodeUnauthorized, "the headers X-Webhook-Signature and X-Webhook-Timestamp are required")
	case err != nil:
		return at, domain.Errorf(domain.CodeUnauthorized, "X-Webhook-Timestamp must be a time in Unix seconds")
	case at.Before(r.Now().Add(-Window)) || at.After(r.Now().Add(Window)):
		return at, domain.Errorf(domain.CodeUnauthorized, "X-Webhook-Timestamp is more than %v from now", Window)
	}
	return at, nil
}

// Receive takes a report in that s proves. The same report again changes
// nothing. Errors: UNAUTHORIZED; NOT_FOUND when nothing has the id; what the
// thing's decision says.
func (r *Receiver) Receive(ctx context.Context, s Signed, u Update, req commands.Request) (domain.Position, error) {
	if _, err := r.When(s); err != nil {
		return 0, err
	}
	prefix, _, _ := strings.Cut(u.ID, "_")
	known, ok := r.Entities[prefix]
	if !ok {
		return 0, domain.NotFound("entity", u.ID)
	}
	p, err := known.Tenant(ctx, u.ID)
	if err != nil {
		return 0, err
	}
	secret, err := r.Secrets.WebhookSecret(ctx, p)
	if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
		return 0, domain.Errorf(domain.CodeUnauthorized, "the space of %q has no cluster, whose secret would sign its reports", u.ID)
	}
	if err != nil {
		return 0, err
	}
	if !hmac.Equal([]byte(Sign(secret, s.Timestamp, s.Body)), []byte(s.Signature)) {
		return 0, domain.Errorf(domain.CodeUnauthorized, "X-Webhook-Signature does not fit the body and the time")
	}
	p.Actor = "webhook"
	req.Principal, req.ID, req.Route = p, u.ID, "webhook "+u.ID
	if req.IdempotencyKey = s.ID; s.ID == "" {
		sum := sha256.Sum256(s.Body)
		req.IdempotencyKey = hex.EncodeToString(sum[:])
	}
	return known.Report(ctx, req, u)
}
