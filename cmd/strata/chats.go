package main

import (
	"context"
	"encoding/json"
	"fmt"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/gateway/guard"
	"strata/projections/query"
	"strata/projections/resources"
	"strata/writeapi/chat"
)

// newChat makes the service of chats.
func (a *app) newChat() (*chat.Service, error) {
	g := a.cfg.Gateway
	block := make([]guard.Category, len(g.GuardBlock))
	for i, c := range g.GuardBlock {
		block[i] = guard.Category(c)
	}
	rules, err := guard.New(block)
	if err != nil {
		return nil, fmt.Errorf("gateway.guard_block: %w", err)
	}
	return &chat.Service{Handler: a.handler, Resources: a.resources, Gateway: a.gateway, Catalogue: chatCatalogue{a},
		Guard: rules, GuardModel: g.GuardModel, Embedder: g.RouterModel, RecordPayloads: g.RecordPayloads, Live: a.live, At: a.at}, nil
}

// chatCatalogue tells completions of experts and routes. One expert is read as
// the log has it, so that who just made it can use it.
type chatCatalogue struct{ app *app }

// Expert implements chat.Catalogue.
func (c chatCatalogue) Expert(ctx context.Context, p domain.Principal, id string) (chat.Expert, error) {
	doc, err := c.app.resources.Load(ctx, catalogue.Experts, p, id)
	if err != nil {
		return chat.Expert{}, err
	}
	e, err := domain.Decode[catalogue.Expert](doc.Resource.Doc)
	return expertOf(id, e), err
}

// Experts implements chat.Catalogue.
func (c chatCatalogue) Experts(ctx context.Context, workspace string, limit int) ([]chat.Expert, error) {
	q := resources.Query{Kind: catalogue.Experts.Name, Workspace: workspace, Page: query.Page{Limit: limit, Desc: true}}
	found, err := c.app.models.resources.List(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]chat.Expert, len(found.Items))
	for i, doc := range found.Items {
		var e catalogue.Expert
		if err := json.Unmarshal(doc.Doc, &e); err != nil {
			return nil, fmt.Errorf("expert %s: %w", doc.ID, err)
		}
		out[i] = expertOf(doc.ID, e)
	}
	return out, nil
}

func expertOf(id string, e catalogue.Expert) chat.Expert {
	return chat.Expert{ID: id, Name: e.Name, Description: e.Description, Context: e.Context, FileContext: e.FileContext, Tools: e.Tools}
}

// Routes implements chat.Catalogue.
func (c chatCatalogue) Routes(ctx context.Context, workspace string) ([]chat.Route, error) {
	return listed(ctx, c.app.models.resources, catalogue.ModelRoutes.Name, workspace, func(doc *resources.Document) (chat.Route, error) {
		var r catalogue.ModelRoute
		if err := json.Unmarshal(doc.Doc, &r); err != nil {
			return chat.Route{}, fmt.Errorf("model route %s: %w", doc.ID, err)
		}
		if !r.Enabled { // it answers nobody
			r.Description = ""
		}
		return chat.Route{Model: "flotorch/" + r.Name, Description: r.Description}, nil
	})
}
