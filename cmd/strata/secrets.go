package main

import (
	"context"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/secret"
	"strata/gateway"
	"strata/internal/vault"
	"strata/projections/query"
	"strata/projections/resources"
)

// openVault makes what resolves references to secrets, and has references checked
// when they are made.
func (a *app) openVault(context.Context) error {
	a.vault = vault.New(vault.Config{Handler: a.handler, Open: a.sealer.Open,
		Find: func(ctx context.Context, workspace, name string) (secret.State, error) {
			s, err := a.models.secrets.Get(ctx, workspace, name)
			return s.State, err
		}})
	for _, kind := range vault.Kinds() {
		a.resources.Also(kind, func(ctx context.Context, p domain.Principal, d domain.Doc) error {
			if p.AnyTenant() { // it changes nothing that refers to secrets
				return nil
			}
			return a.vault.Check(ctx, p.Workspace, kind, d)
		})
	}
	return nil
}

// secrets makes the commands of secrets.
func (a *app) secrets() *commands.Secrets { return commands.NewSecrets(a.handler, a.sealer, a.keys) }

// secretUsers lists what refers to a secret of a workspace.
func (a *app) secretUsers(ctx context.Context, workspace, name string) ([]vault.Reference, error) {
	out, err := a.connectorsUsing(ctx, workspace, name)
	if err != nil {
		return nil, err
	}
	for _, kind := range vault.Kinds() {
		ask := resources.Query{Kind: kind, Workspace: workspace, Page: query.Page{Limit: query.MaxLimit}}
		for {
			found, err := a.models.resources.List(ctx, ask)
			if err != nil {
				return nil, err
			}
			for _, doc := range found.Items {
				fields, err := doc.Fields()
				if err != nil {
					return nil, err
				}
				refs, err := a.vault.References(name, vault.Resource{Kind: kind, ID: doc.ID, Name: doc.Name, Doc: fields})
				if err != nil {
					return nil, err
				}
				out = append(out, refs...)
			}
			if ask.Cursor = found.Next; !found.HasMore {
				break
			}
		}
	}
	return out, nil
}

// unlock puts the value of a secret in the place of a reference in a provider's key.
func (a *app) unlock(ctx context.Context, workspace string, p *gateway.Provider) error {
	_, err := a.vault.Fill(ctx, vault.Consumer{Workspace: workspace, Kind: catalogue.Providers.Name, ID: p.Name}, &p.APIKey)
	return err
}
