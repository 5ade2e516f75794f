// Package cluster is the compute cluster of a workspace: where its manager is,
// which runs trainings, and where its models are served. There is one at a time;
// the stream is the workspace's, so that there cannot be two, and the cluster's
// own identifier is drawn anew whenever one is registered.
//
// The token that the manager wants and the secret that it signs its reports with
// are sealed before they become part of a fact.
package cluster

import (
	"net/url"
	"strings"
	"time"

	"strata/domain"
)

// State is what is known of a workspace's cluster at one revision.
type State struct {
	Workspace     string
	ID            string // of the cluster that is registered; "" when there is none
	Former        string // of the one that was removed, when there is none
	Name          string
	ManagerURL    string
	IngressURL    string
	Token         string // sealed; "" when the manager wants none
	WebhookSecret string // sealed
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// Aggregate folds the streams of workspaces' clusters. Their key is the
// workspace's id.
var Aggregate = &domain.Aggregate[State]{
	Category: "cluster", Prefix: "clu", Noun: "cluster", Fold: "1",
	New:   func(id string) *State { return &State{Workspace: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Facts: FactTypes(),
}

// Registered brings a cluster into being.
type Registered struct {
	ID            string `json:"id"`
	Name          string `json:"name,omitempty"`
	ManagerURL    string `json:"manager_url"`
	IngressURL    string `json:"ingress_url"`
	Token         string `json:"token,omitempty"` // sealed
	WebhookSecret string `json:"webhook_secret"`  // sealed
}

// EventType implements domain.Fact.
func (Registered) EventType() string { return "cluster.registered.v1" }

// ManagerMoved says where the manager is now.
type ManagerMoved struct {
	ManagerURL string `json:"manager_url"`
}

// EventType implements domain.Fact.
func (ManagerMoved) EventType() string { return "cluster.manager_moved.v1" }

// IngressMoved says where models are served now.
type IngressMoved struct {
	IngressURL string `json:"ingress_url"`
}

// EventType implements domain.Fact.
func (IngressMoved) EventType() string { return "cluster.ingress_moved.v1" }

// TokenReplaced gives Strata another token for the manager, or none.
type TokenReplaced struct {
	Token string `json:"token,omitempty"` // sealed
}

// EventType implements domain.Fact.
func (TokenReplaced) EventType() string { return "cluster.token_replaced.v1" }

// WebhookSecretRotated replaces the secret that reports are signed with; the old
// one stops working.
type WebhookSecretRotated struct {
	WebhookSecret string `json:"webhook_secret"` // sealed
}

// EventType implements domain.Fact.
func (WebhookSecretRotated) EventType() string { return "cluster.webhook_secret_rotated.v1" }

// Removed takes the cluster away from its workspace.
type Removed struct {
	ID string `json:"id"`
}

// EventType implements domain.Fact.
func (Removed) EventType() string { return "cluster.removed.v1" }

// FactTypes lists the facts of clusters for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Registered](), domain.FactOf[ManagerMoved](), domain.FactOf[IngressMoved](), domain.FactOf[TokenReplaced](),
		domain.FactOf[WebhookSecretRotated](), domain.FactOf[Removed](),
	}
}

// SecretFields are the fields of facts that are never shown.
func SecretFields() []string { return []string{"token", "webhook_secret"} }

func (s *State) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case Registered:
		*s = State{Workspace: s.Workspace, ID: f.ID, Name: f.Name, ManagerURL: f.ManagerURL, IngressURL: f.IngressURL, Token: f.Token,
			WebhookSecret: f.WebhookSecret, CreatedAt: e.Meta.OccurredAt}
	case ManagerMoved:
		s.ManagerURL = f.ManagerURL
	case IngressMoved:
		s.IngressURL = f.IngressURL
	case TokenReplaced:
		s.Token = f.Token
	case WebhookSecretRotated:
		s.WebhookSecret = f.WebhookSecret
	case Removed:
		*s = State{Workspace: s.Workspace, Former: f.ID}
	}
	s.UpdatedAt = e.Meta.OccurredAt
}

// there answers NOT_FOUND when the workspace has no cluster.
func (s *State) there() error {
	if s.ID == "" {
		return Absent()
	}
	return nil
}

// Absent says that a workspace has no cluster.
func Absent() error {
	return domain.Errorf(domain.CodeNotFound, "this space has no cluster")
}

const maxText = 2000

// address checks a URL that requests are sent to.
func address(f *domain.Faults, field, text string) {
	u, err := url.Parse(text)
	bad := err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != ""
	f.Add(bad || len(text) > maxText, field, "must be an http or https URL without credentials and query, at most %d bytes long", maxText)
}

// Register gives a workspace its cluster. Token and WebhookSecret are sealed.
type Register struct {
	Name, ManagerURL, IngressURL, Token, WebhookSecret string
}

// Decide implements domain.Decider.
func (c Register) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	var f domain.Faults
	address(&f, "manager_url", c.ManagerURL)
	address(&f, "ingress_url", c.IngressURL)
	f.Add(len(c.Name) > 200, "name", "must be at most 200 bytes long")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if s.ID != "" {
		return nil, domain.Errorf(domain.CodeConflict, "this space has the cluster %q already; delete it first, or update it", s.ID)
	}
	return []domain.Fact{Registered{ID: env.NewID(Aggregate.Prefix), Name: strings.TrimSpace(c.Name), ManagerURL: c.ManagerURL,
		IngressURL: c.IngressURL, Token: c.Token, WebhookSecret: c.WebhookSecret}}, nil
}

// Update changes what is given; nil leaves as it is. Token is sealed.
type Update struct {
	ManagerURL, IngressURL, Token *string
}

// Decide implements domain.Decider.
func (c Update) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	var f domain.Faults
	if c.ManagerURL != nil {
		address(&f, "manager_url", *c.ManagerURL)
	}
	if c.IngressURL != nil {
		address(&f, "ingress_url", *c.IngressURL)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := s.there(); err != nil {
		return nil, err
	}
	var out []domain.Fact
	if c.ManagerURL != nil && *c.ManagerURL != s.ManagerURL {
		out = append(out, ManagerMoved{ManagerURL: *c.ManagerURL})
	}
	if c.IngressURL != nil && *c.IngressURL != s.IngressURL {
		out = append(out, IngressMoved{IngressURL: *c.IngressURL})
	}
	if c.Token != nil && *c.Token != s.Token {
		out = append(out, TokenReplaced{Token: *c.Token})
	}
	return out, nil
}

// RotateWebhookSecret replaces the secret that reports are signed with by a new
// one, sealed.
type RotateWebhookSecret struct{ WebhookSecret string }

// Decide implements domain.Decider.
func (c RotateWebhookSecret) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{WebhookSecretRotated(c)}, nil
}

// Remove takes the cluster away. What runs there is not stopped.
type Remove struct{}

// Decide implements domain.Decider.
func (Remove) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{Removed{ID: s.ID}}, nil
}
