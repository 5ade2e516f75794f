package gateway

import (
	"context"
	"errors"
	"sort"
	"time"

	"strata/domain"
	"strata/gateway/builtin"
)

// builtinSince is when the built-in models say they were made: the release of
// their first version.
const builtinSince = 1_762_000_000

// Models lists what a workspace can call: built-in models, the models its
// providers list, and its routes, ordered by id. A provider that lists none
// serves any name, but appears here with none.
func (g *Gateway) Models(ctx context.Context, call Call) ([]Model, error) {
	providers, err := g.Directory.Providers(ctx, call.Workspace)
	if err != nil {
		return nil, err
	}
	routes, err := g.Directory.Routes(ctx, call.Workspace)
	if err != nil {
		return nil, err
	}
	var list []Model
	for _, name := range builtin.Names() {
		list = append(list, Model{ID: BuiltinProvider + "/" + name, OwnedBy: BuiltinProvider, Created: builtinSince})
	}
	for _, p := range providers {
		if !p.Enabled || p.Name == BuiltinProvider {
			continue
		}
		for _, name := range p.Models {
			list = append(list, Model{ID: p.Name + "/" + name, OwnedBy: p.Name, Created: unix(p.Created)})
		}
	}
	for _, r := range routes {
		if r.Enabled {
			list = append(list, Model{ID: RoutePrefix + "/" + r.Name, OwnedBy: RoutePrefix, Created: unix(r.Created)})
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].ID < list[j].ID })
	return list, nil
}

// Model returns one entry of the list, by its id or by a bare name that stands
// for one. An unknown one is domain.CodeNotFound.
func (g *Gateway) Model(ctx context.Context, call Call, id string) (Model, error) {
	list, err := g.Models(ctx, call)
	if err != nil {
		return Model{}, err
	}
	wanted := []string{id, RoutePrefix + "/" + id}
	if c, err := g.find(ctx, call.Workspace, id); err == nil {
		wanted = append(wanted, c.id)
	} else if !errors.Is(err, domain.ErrNotFound) && domain.CodeOf(err) != domain.CodeAIService {
		return Model{}, err
	}
	for _, name := range wanted {
		i := sort.Search(len(list), func(i int) bool { return list[i].ID >= name })
		if i < len(list) && list[i].ID == name {
			found := list[i]
			found.ID = id
			return found, nil
		}
	}
	return Model{}, modelNotFound(id)
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return builtinSince
	}
	return t.Unix()
}
