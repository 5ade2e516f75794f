package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"strata/commands"
	"strata/domain"
	"strata/domain/connector"
	"strata/domain/secret"
	"strata/internal/vault"
)

// Kind is what connectors are called where uses of secrets are listed.
const Kind = "connector"

// text is one of the credentials.
type text struct {
	name  string // in requests
	value *string
}

func (c *Credentials) texts() []text {
	return []text{{"access_key_id", &c.AccessKeyID}, {"secret_access_key", &c.SecretAccessKey}, {"session_token", &c.SessionToken}}
}

// places are the credentials that may refer to secrets. at is put before their names.
func (c *Credentials) places(at string) []vault.Place {
	var out []vault.Place
	for _, t := range c.texts() {
		out = append(out, vault.Place{Field: at + t.name, Text: *t.value})
	}
	return out
}

// checkSecrets names every reference of a new connector to a secret that is not
// there. A request that was answered before gets that answer, whatever became of
// the secret. Only who may make connectors learns which secrets there are.
func (s *Service) checkSecrets(ctx context.Context, req commands.Request, n New) (out commands.Outcome[connector.State], repeated bool, err error) {
	places := n.places(n.CredentialsAt)
	refers := func(p vault.Place) bool { return len(secret.Names(p.Text)) > 0 || secret.Misspelt(p.Text) != "" }
	if !slices.ContainsFunc(places, refers) {
		return out, false, nil
	}
	if req.Permission != "" && !req.Principal.Can(req.Permission) {
		return out, false, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	req.Create = true
	if out, repeated, err = commands.Repeat(ctx, s.Handler, connector.Aggregate, req, show); repeated || err != nil {
		return out, repeated, err
	}
	return out, false, s.Secrets.CheckPlaces(ctx, req.Principal.Workspace, places)
}

// credentials opens what was sealed, with its references to secrets as they were
// given.
func (s *Service) credentials(state *connector.State) (c Credentials, err error) {
	plain, err := s.Sealer.Open(state.Credentials)
	if err == nil && plain != "" {
		err = json.Unmarshal([]byte(plain), &c)
	}
	if err != nil {
		return c, fmt.Errorf("the credentials of connector %s: %w", state.ID, err)
	}
	return c, nil
}

// fill puts the values of secrets in the place of references. What cannot be filled
// is named.
func (s *Service) fill(ctx context.Context, workspace, id string, c *Credentials) error {
	for _, t := range c.texts() {
		_, err := s.Secrets.Fill(ctx, vault.Consumer{Workspace: workspace, Kind: Kind, ID: id}, t.value)
		if own, ok := errors.AsType[*domain.Error](err); ok && own.Code == domain.CodeConflict {
			return domain.Errorf(domain.CodeConflict, "%s: %s", t.name, own.Message).With("field", t.name).Because(err)
		}
		if err != nil {
			return err
		}
		if !oneLine(*t.value) {
			return domain.Errorf(domain.CodeConflict, "%s: with its secret, it must be at most %d bytes on one line", t.name, maxCredential).
				With("field", t.name)
		}
	}
	return nil
}

// References lists the credentials of a connector that refer to a secret.
func (s *Service) References(name string, state *connector.State) ([]vault.Reference, error) {
	c, err := s.credentials(state)
	if err != nil {
		return nil, err
	}
	var out []vault.Reference
	for _, p := range c.places("") {
		if p.RefersTo(name) {
			out = append(out, vault.Reference{Kind: Kind, ID: state.ID, Name: state.Name, Field: p.Field})
		}
	}
	return out, nil
}
