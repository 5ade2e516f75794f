package inbound_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/connector"
	"strata/internal/inbound"
	"strata/projections/projectionstest"
	"strata/streams"
)

// secrets of one workspace.
type secrets struct{ workspace, secret string }

func (s secrets) WebhookSecret(_ context.Context, p domain.Principal) (string, error) {
	if p.Workspace != s.workspace {
		return "", domain.NotFound("cluster", p.Workspace)
	}
	return s.secret, nil
}

const (
	secret    = "whsec_1"
	signature = "sha256=01d36d559e8f2b6dc44034ed1898d742397ca2347977b5fe9f7db23c4c37e422"
)

var now = time.Unix(1_700_000_000, 0).UTC()

// world is a receiver, and two connectors: con_1 in the workspace that has a secret.
type world struct {
	*testing.T
	*inbound.Receiver
	h *commands.Handler
}

func newWorld(t *testing.T) *world {
	t.Helper()
	codec, err := streams.NewCodec(connector.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := commands.New(commands.Config{Store: projectionstest.NewLog(), Codec: codec, Now: func() time.Time { return now }})
	for id, workspace := range map[string]string{"con_1": "ws_1", "con_2": "ws_2"} {
		req := commands.Request{Principal: domain.System("org_1", workspace), ID: id, Create: true}
		create := connector.Create{Name: "x", Type: connector.AWSS3, S3: connector.S3{Bucket: "churn", Region: "eu-central-1"}}
		if _, err := commands.Run[connector.State, struct{}](t.Context(), h, connector.Aggregate, req, create, nil); err != nil {
			t.Fatal(err)
		}
	}
	return &world{t, &inbound.Receiver{Secrets: secrets{"ws_1", secret}, Now: func() time.Time { return now }, Entities: inbound.Entities{
		"con": inbound.Of(h, connector.Aggregate, func(u inbound.Update) domain.Decider[connector.State] {
			return connector.Report{Event: u.Event, Status: connector.Status(u.Status), At: u.At}
		})}}, h}
}

// send signs and sends a report, changed by how.
func (w *world) send(u inbound.Update, how ...func(*inbound.Signed)) (domain.Position, error) {
	s := inbound.Signed{Timestamp: fmt.Sprint(now.Unix()), Body: []byte(u.ID + u.Status + u.At.String())}
	s.Signature = inbound.Sign(secret, s.Timestamp, s.Body)
	for _, change := range how {
		change(&s)
	}
	return w.Receive(w.Context(), s, u, commands.Request{})
}

func (w *world) status(id string) (connector.Status, domain.Revision) {
	var at domain.Revision
	s, err := commands.Load(w.Context(), w.h, connector.Aggregate, domain.System("", ""), id, func(l *commands.Loaded[connector.State]) connector.Status {
		at = l.Revision
		return l.State.Status()
	})
	if err != nil {
		w.Fatal(err)
	}
	return s, at
}

func TestSign(t *testing.T) {
	// Computed with: printf '1700000000.{"id":"con_1"}' | openssl dgst -sha256 -hmac whsec_1
	if got := inbound.Sign(secret, "1700000000", []byte(`{"id":"con_1"}`)); got != signature {
		t.Errorf("%s", got)
	}
}

func TestReceive(t *testing.T) {
	w := newWorld(t)
	if at, err := w.send(inbound.Update{ID: "con_1", Status: "active", At: now}); err != nil || at == 0 {
		t.Fatalf("%d, %v", at, err)
	}
	if s, _ := w.status("con_1"); s != connector.Active {
		t.Errorf("%v", s)
	}
	if _, err := w.send(inbound.Update{ID: "con_1", Status: "error", At: now.Add(-time.Hour)}); err != nil {
		t.Errorf("an older one: %v", err)
	}
	if s, _ := w.status("con_1"); s != connector.Active {
		t.Errorf("an older report has won: %v", s)
	}
}

func TestTheSameAgain(t *testing.T) {
	w := newWorld(t)
	same := func(s *inbound.Signed) { s.ID = "delivery-1" }
	for _, u := range []inbound.Update{{ID: "con_1", Status: "active", At: now}, {ID: "con_1", Status: "error", At: now.Add(time.Second)}} {
		if _, err := w.send(u, same); err != nil {
			t.Fatal(err)
		}
	}
	u := inbound.Update{ID: "con_1", Status: "active", At: now.Add(2 * time.Second)}
	for range 2 { // the same by its content
		if _, err := w.send(u); err != nil {
			t.Fatal(err)
		}
	}
	if s, at := w.status("con_1"); s != connector.Active || at != 2 {
		t.Errorf("%v at revision %d, want 2: created and two reports", s, at)
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	good := inbound.Update{ID: "con_1", Status: "active", At: now}
	resign := func(s *inbound.Signed) { s.Signature = inbound.Sign(secret, s.Timestamp, s.Body) }
	at := func(t time.Time) func(*inbound.Signed) {
		return func(s *inbound.Signed) { s.Timestamp = fmt.Sprint(t.Unix()) }
	}
	for name, c := range map[string]struct {
		u    inbound.Update
		how  []func(*inbound.Signed)
		want domain.Code
	}{
		"no signature":      {good, []func(*inbound.Signed){func(s *inbound.Signed) { s.Signature = "" }}, domain.CodeUnauthorized},
		"no time":           {good, []func(*inbound.Signed){func(s *inbound.Signed) { s.Timestamp = "" }}, domain.CodeUnauthorized},
		"another body":      {good, []func(*inbound.Signed){func(s *inbound.Signed) { s.Body = []byte("x") }}, domain.CodeUnauthorized},
		"another secret":    {good, []func(*inbound.Signed){func(s *inbound.Signed) { s.Signature = inbound.Sign("x", s.Timestamp, s.Body) }}, domain.CodeUnauthorized},
		"another time":      {good, []func(*inbound.Signed){at(now.Add(time.Second))}, domain.CodeUnauthorized},
		"too old":           {good, []func(*inbound.Signed){at(now.Add(-6 * time.Minute)), resign}, domain.CodeUnauthorized},
		"too early":         {good, []func(*inbound.Signed){at(now.Add(6 * time.Minute)), resign}, domain.CodeUnauthorized},
		"no number":         {good, []func(*inbound.Signed){func(s *inbound.Signed) { s.Timestamp = "now" }, resign}, domain.CodeUnauthorized},
		"without a cluster": {inbound.Update{ID: "con_2", Status: "active", At: now}, nil, domain.CodeUnauthorized},
		"unknown":           {inbound.Update{ID: "con_3", Status: "active", At: now}, nil, domain.CodeNotFound},
		"of no kind":        {inbound.Update{ID: "x_3", At: now}, nil, domain.CodeNotFound},
		"what it cannot be": {inbound.Update{ID: "con_1", Status: "melted", At: now}, nil, domain.CodeValidation},
	} {
		if _, err := w.send(c.u, c.how...); domain.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s, at := w.status("con_1"); s != connector.Pending || at != 0 {
		t.Errorf("what was refused has changed it: %v, revision %d", s, at)
	}
}
