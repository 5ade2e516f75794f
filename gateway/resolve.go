package gateway

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"strata/domain"
	"strata/gateway/builtin"
	"strata/gateway/pricing"
)

// Reserved provider names.
const (
	BuiltinProvider = "strata"   // the models of package builtin
	RoutePrefix     = "flotorch" // model routes
)

// candidate is one model that may answer a call.
type candidate struct {
	*connected
	id       string // provider/model
	provider string
	model    string // the provider's name for it
	price    pricing.Price
	key      string // of its health
	target   Target // what a route says of it
}

// plan is who is asked, in order, and how persistently.
type plan struct {
	route      string
	candidates []candidate
	retry      Retry
}

// resolve finds what a model name stands for:
//
//	strata/<model>       a built-in model
//	flotorch/<route>     a model route
//	<provider>/<model>   a model of a provider
//	<name>               a route of that name; else the default provider's model;
//	                     else a provider that lists it; else a built-in model
//
// A provider with a list of models serves only those. A name with slashes whose
// first part is no provider counts as a bare one ("meta-llama/Llama-3").
func (g *Gateway) resolve(ctx context.Context, workspace, name string, cost func(*candidate) domain.Money, kind latencyKind) (*plan, error) {
	first, rest, slashed := strings.Cut(name, "/")
	if slashed && first == RoutePrefix {
		route, err := g.Directory.Route(ctx, workspace, rest)
		if err != nil {
			return nil, notFoundAs(err, name)
		}
		return g.planRoute(ctx, workspace, route, cost, kind)
	}
	if !slashed {
		route, err := g.Directory.Route(ctx, workspace, name)
		if err == nil && route.Enabled {
			return g.planRoute(ctx, workspace, route, cost, kind)
		}
		if err != nil && !errors.Is(err, domain.ErrNotFound) {
			return nil, err
		}
	}
	c, err := g.find(ctx, workspace, name)
	if err != nil {
		return nil, err
	}
	return &plan{candidates: []candidate{c}, retry: g.Retry}, nil
}

// find resolves a name that is no route to one model.
func (g *Gateway) find(ctx context.Context, workspace, name string) (candidate, error) {
	if first, rest, slashed := strings.Cut(name, "/"); slashed {
		if first == BuiltinProvider {
			return g.builtinCandidate(workspace, rest, name)
		}
		p, err := g.Directory.Provider(ctx, workspace, first)
		if err == nil {
			if !p.Enabled || rest == "" || !offers(p, rest) {
				return candidate{}, modelNotFound(name)
			}
			return g.unlocked(ctx, workspace, p, rest)
		}
		if !errors.Is(err, domain.ErrNotFound) {
			return candidate{}, err
		}
	}
	providers, err := g.Directory.Providers(ctx, workspace)
	if err != nil {
		return candidate{}, err
	}
	var best *Provider
	for i := range providers {
		p := &providers[i]
		suits := p.Enabled && (slices.Contains(p.Models, name) || p.IsDefault && len(p.Models) == 0)
		if suits && (best == nil || preferred(p, best)) {
			best = p
		}
	}
	if best == nil {
		return g.builtinCandidate(workspace, name, name)
	}
	return g.unlocked(ctx, workspace, *best, name)
}

// unlocked is a candidate whose provider's key is the one to use now.
func (g *Gateway) unlocked(ctx context.Context, workspace string, p Provider, model string) (candidate, error) {
	if g.Unlock != nil {
		if err := g.Unlock(ctx, workspace, &p); err != nil {
			return candidate{}, err
		}
	}
	return g.candidate(workspace, p, model)
}

// preferred orders providers that offer the same model.
func preferred(a, b *Provider) bool {
	if a.IsDefault != b.IsDefault {
		return a.IsDefault
	}
	return a.Priority < b.Priority
}

func offers(p Provider, model string) bool {
	return len(p.Models) == 0 || slices.Contains(p.Models, model)
}

func (g *Gateway) candidate(workspace string, p Provider, model string) (candidate, error) {
	c, err := g.connect(workspace, p)
	if err != nil {
		return candidate{}, err
	}
	id := p.Name + "/" + model
	return candidate{connected: c, id: id, provider: p.Name, model: model, price: c.price(g.Prices, model), key: workspace + "/" + id}, nil
}

func (g *Gateway) builtinCandidate(workspace, model, asked string) (candidate, error) {
	if !slices.Contains(builtin.Names(), model) {
		return candidate{}, modelNotFound(asked)
	}
	id := BuiltinProvider + "/" + model
	return candidate{
		connected: &connected{backend: g.builtin, limitWith: "max_tokens", local: true},
		id:        id, provider: BuiltinProvider, model: model,
		price: g.Prices.Lookup(id), key: workspace + "/" + id,
	}, nil
}

// planRoute resolves and orders the targets of a route. Targets that cannot be
// used now (a provider switched off or deleted) are passed over.
func (g *Gateway) planRoute(ctx context.Context, workspace string, r Route, cost func(*candidate) domain.Money, kind latencyKind) (*plan, error) {
	if !r.Enabled {
		return nil, modelNotFound(RoutePrefix + "/" + r.Name)
	}
	p := &plan{route: r.Name, retry: r.Retry.or(g.Retry)}
	var why error
	for _, t := range r.Targets {
		if strings.HasPrefix(t.Model, RoutePrefix+"/") {
			why = domain.Errorf(domain.CodeAIService, "the route %q leads to another route, %q", r.Name, t.Model)
			continue
		}
		c, err := g.find(ctx, workspace, t.Model)
		if err != nil {
			why = err
			continue
		}
		c.target = t
		p.candidates = append(p.candidates, c)
	}
	if len(p.candidates) == 0 {
		return nil, domain.Errorf(domain.CodeAIService, "the route %q has no target that can be used", r.Name).Because(why)
	}
	g.order(workspace, r, p.candidates, cost, kind)
	return p, nil
}

// order puts candidates into the order in which they are tried.
func (g *Gateway) order(workspace string, r Route, list []candidate, cost func(*candidate) domain.Money, kind latencyKind) {
	switch r.Strategy {
	case Weighted:
		g.shuffle(list)
	case RoundRobin:
		turn := int(g.turn(workspace, r.Name) % uint64(len(list)))
		rotated := append(slices.Clone(list[turn:]), list[:turn]...)
		copy(list, rotated)
	case LowestCost:
		// A model without a known price may be the dearest: it comes last.
		slices.SortStableFunc(list, func(a, b candidate) int {
			if aKnown, bKnown := a.price.Known || a.local, b.price.Known || b.local; aKnown != bKnown {
				if aKnown {
					return -1
				}
				return 1
			}
			return cmp.Compare(cost(&a), cost(&b))
		})
	case LowestLatency:
		slices.SortStableFunc(list, func(a, b candidate) int {
			return cmp.Compare(g.health.latency(a.key, kind), g.health.latency(b.key, kind))
		})
	default:
		slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(a.target.Priority, b.target.Priority) })
	}
}

// shuffle draws candidates one after the other, each in proportion to its weight.
func (g *Gateway) shuffle(list []candidate) {
	weighted := slices.ContainsFunc(list, func(c candidate) bool { return c.target.Weight > 0 })
	weight := func(c *candidate) float64 {
		if !weighted {
			return 1
		}
		return max(c.target.Weight, 0)
	}
	for ; len(list) > 1; list = list[1:] {
		total := 0.0
		for i := range list {
			total += weight(&list[i])
		}
		drawn, at := g.Rand()*total, 0
		for at < len(list)-1 && drawn >= weight(&list[at]) {
			drawn -= weight(&list[at])
			at++
		}
		list[0], list[at] = list[at], list[0]
	}
}

// notFoundAs turns the directory's "not found" into that of a model.
func notFoundAs(err error, model string) error {
	if errors.Is(err, domain.ErrNotFound) {
		return modelNotFound(model)
	}
	return err
}
