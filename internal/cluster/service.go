package cluster

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"

	"strata/commands"
	"strata/domain"
	"strata/domain/cluster"
)

// Sealer keeps secrets from those who read the log.
type Sealer interface {
	Seal(plain string) (string, error)
	Open(sealed string) (string, error)
}

// Service keeps which cluster a workspace has. It is safe for concurrent use.
type Service struct {
	Handler *commands.Handler
	Sealer  Sealer
	Client  *http.Client // of [NewClient]
	Random  io.Reader    // source of secrets
}

// Registration is a cluster to be registered, or what is to change of it: nil
// leaves as it is.
type Registration struct {
	Name, ManagerURL, IngressURL, Token *string
}

// Outcome shows a cluster after a command.
type Outcome = commands.Outcome[cluster.State]

func show(l *commands.Loaded[cluster.State]) cluster.State { return *l.State }

// Register gives the caller's workspace its cluster. secret is what its manager
// is to sign its reports with; it is told this once, and "" for a repeated
// request. Errors: VALIDATION_ERROR; CONFLICT when there is one.
func (s *Service) Register(ctx context.Context, req commands.Request, r Registration) (out Outcome, secret string, err error) {
	secret, sealed, err := s.newSecret()
	if err != nil {
		return out, "", err
	}
	token, err := s.sealToken(r.Token)
	if err != nil {
		return out, "", err
	}
	req.Create = true
	out, err = s.run(ctx, req, cluster.Register{Name: text(r.Name), ManagerURL: text(r.ManagerURL), IngressURL: text(r.IngressURL), Token: text(token), WebhookSecret: sealed})
	if err != nil || out.Repeated {
		secret = ""
	}
	return out, secret, err
}

// Update changes what is given. Errors: NOT_FOUND; VALIDATION_ERROR.
func (s *Service) Update(ctx context.Context, req commands.Request, r Registration) (Outcome, error) {
	token, err := s.sealToken(r.Token)
	if err != nil {
		return Outcome{}, err
	}
	return s.run(ctx, req, cluster.Update{ManagerURL: r.ManagerURL, IngressURL: r.IngressURL, Token: token})
}

// Rotate replaces the secret that reports are signed with, and tells the new one,
// as Register does. Errors: NOT_FOUND.
func (s *Service) Rotate(ctx context.Context, req commands.Request) (out Outcome, secret string, err error) {
	secret, sealed, err := s.newSecret()
	if err != nil {
		return out, "", err
	}
	out, err = s.run(ctx, req, cluster.RotateWebhookSecret{WebhookSecret: sealed})
	if err != nil || out.Repeated {
		secret = ""
	}
	return out, secret, err
}

// Remove takes the workspace's cluster away and tells which it was. Errors: NOT_FOUND.
func (s *Service) Remove(ctx context.Context, req commands.Request) (id string, out Outcome, err error) {
	out, err = s.run(ctx, req, cluster.Remove{})
	return out.View.Former, out, err
}

// run runs a command on the cluster of the caller's workspace.
func (s *Service) run(ctx context.Context, req commands.Request, cmd domain.Decider[cluster.State]) (Outcome, error) {
	req.ID = req.Principal.Workspace
	out, err := commands.Run(ctx, s.Handler, cluster.Aggregate, req, cmd, show)
	return out, absent(err)
}

// absent says in its own words that there never was a cluster.
func absent(err error) error {
	if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
		return cluster.Absent()
	}
	return err
}

// Get shows the cluster of a principal's workspace. Errors: NOT_FOUND.
func (s *Service) Get(ctx context.Context, p domain.Principal) (cluster.State, error) {
	state, err := commands.Load(ctx, s.Handler, cluster.Aggregate, p, p.Workspace, show)
	if err == nil && state.ID == "" {
		err = cluster.Absent()
	}
	return state, absent(err)
}

// Manager finds the manager of the cluster of a principal's workspace. Errors: NOT_FOUND.
func (s *Service) Manager(ctx context.Context, p domain.Principal) (*Manager, error) {
	state, err := s.Get(ctx, p)
	if err != nil {
		return nil, err
	}
	token, err := s.Sealer.Open(state.Token)
	if err != nil {
		return nil, fmt.Errorf("the token of cluster %s: %w", state.ID, err)
	}
	return &Manager{URL: state.ManagerURL, Token: token, Client: s.Client}, nil
}

// WebhookSecret is what the cluster of a principal's workspace signs its reports
// with. Errors: NOT_FOUND.
func (s *Service) WebhookSecret(ctx context.Context, p domain.Principal) (string, error) {
	state, err := s.Get(ctx, p)
	if err != nil {
		return "", err
	}
	secret, err := s.Sealer.Open(state.WebhookSecret)
	if err != nil {
		return "", fmt.Errorf("the webhook secret of cluster %s: %w", state.ID, err)
	}
	return secret, nil
}

// newSecret makes a secret of 256 bits, and its sealed form.
func (s *Service) newSecret() (plain, sealed string, err error) {
	var b [32]byte
	if _, err := io.ReadFull(s.Random, b[:]); err != nil {
		return "", "", fmt.Errorf("make a secret: %w", err)
	}
	plain = "whsec_" + hex.EncodeToString(b[:])
	sealed, err = s.Sealer.Seal(plain)
	return plain, sealed, err
}

const maxToken = 4096

// sealToken checks a token, which has to fit in a header, and seals it. One that
// is as before is sealed anew: nobody can tell that it is the same.
func (s *Service) sealToken(token *string) (*string, error) {
	if token == nil {
		return nil, nil
	}
	var f domain.Faults
	unfit := func(r rune) bool { return r < 0x21 || r > 0x7e }
	f.Add(len(*token) > maxToken || strings.ContainsFunc(*token, unfit), "token", "must be at most %d printable characters without blanks", maxToken)
	if err := f.Err(); err != nil {
		return nil, err
	}
	sealed, err := s.Sealer.Seal(*token)
	return &sealed, err
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
