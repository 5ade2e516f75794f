package vault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/secret"
)

// Place is a text that may refer to secrets.
type Place struct {
	Field string // "headers.Authorization"
	Text  string
}

// RefersTo tells whether the text refers to a secret.
func (p Place) RefersTo(name string) bool {
	return slices.ContainsFunc(secret.Names(p.Text), func(other string) bool { return strings.EqualFold(other, name) })
}

// Kinds are the kinds of resources that may refer to secrets.
func Kinds() []string {
	return []string{catalogue.MCPServers.Name, catalogue.Providers.Name, catalogue.Workflows.Name}
}

// Places are the texts of a resource, or of a part of one, that may refer to secrets.
func Places(kind string, doc domain.Doc) ([]Place, error) {
	switch kind {
	case catalogue.MCPServers.Name:
		s, err := domain.Decode[catalogue.MCPServer](doc)
		if err != nil {
			return nil, err
		}
		out := append(placesOf("headers", s.Headers), placesOf("env", s.Env)...)
		if a := s.Auth; a != nil {
			out = append(out, Place{"auth.token", a.Token}, Place{"auth.username", a.Username}, Place{"auth.password", a.Password})
		}
		return out, nil
	case catalogue.Providers.Name:
		p, err := domain.Decode[catalogue.Provider](doc)
		return []Place{{"api_key", p.APIKey}}, err
	case catalogue.Workflows.Name:
		w, err := domain.Decode[catalogue.Workflow](doc)
		var out []Place
		for i := range w.Nodes {
			at := fmt.Sprintf("nodes[%d].config", i)
			out = append(out, placesOf(at+".headers", w.Nodes[i].Headers())...)
			if body := w.Nodes[i].Body(); body != nil {
				out = append(out, placesOf(at+".do.config.headers", body.Headers())...)
			}
		}
		return out, err
	}
	return nil, nil
}

func placesOf(field string, texts map[string]string) []Place {
	out := make([]Place, 0, len(texts))
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		out = append(out, Place{field + "." + name, texts[name]})
	}
	return out
}

// Check names every reference of a resource, or of a part of one, to a secret that
// is not there. The texts are as they were given, not sealed.
func (v *Vault) Check(ctx context.Context, workspace, kind string, doc domain.Doc) error {
	places, err := Places(kind, doc)
	if err != nil {
		return err
	}
	return v.CheckPlaces(ctx, workspace, places)
}

// CheckPlaces is Check for texts of anything else.
func (v *Vault) CheckPlaces(ctx context.Context, workspace string, places []Place) error {
	var f domain.Faults
	for _, p := range places {
		if bad := secret.Misspelt(p.Text); bad != "" {
			f.Add(true, p.Field, "has %s, which is no reference to a secret: write {{secret.name}}", bad)
		}
		for _, name := range secret.Names(p.Text) {
			_, err := v.cfg.Find(ctx, workspace, name)
			if err != nil && !errors.Is(err, domain.ErrNotFound) {
				return err
			}
			f.Add(err != nil, p.Field, "refers to the secret %q, but there is none", name)
		}
	}
	return f.Err()
}

// Reference is a place that refers to a secret.
type Reference struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	Name  string `json:"name"`
	Field string `json:"field"`
}

// Resource is a resource as the read models have it: its secret texts are sealed.
type Resource struct {
	Kind, ID, Name string
	Doc            domain.Doc
}

// References lists the places of a resource that refer to a secret.
func (v *Vault) References(name string, r Resource) ([]Reference, error) {
	places, err := Places(r.Kind, r.Doc)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Kind, r.ID, err)
	}
	var out []Reference
	for _, p := range places {
		if r.Kind != catalogue.Workflows.Name { // what may hold a secret itself is sealed
			if p.Text, err = v.cfg.Open(p.Text); err != nil {
				return nil, fmt.Errorf("%s of %s %s: %w", p.Field, r.Kind, r.ID, err)
			}
		}
		if p.RefersTo(name) {
			out = append(out, Reference{Kind: r.Kind, ID: r.ID, Name: r.Name, Field: p.Field})
		}
	}
	return out, nil
}
