package catalogue

import (
	"fmt"
	"strings"

	"strata/domain"
)

// ModelRoute is a routed model: "flotorch/<name>" picks one of its targets.
type ModelRoute struct {
	domain.Base
	Name            string        `json:"name" required:"true" access:"c" minLength:"1" maxLength:"100" doc:"Second part of the model id flotorch/<name>, unique in the workspace." example:"smart-model"`
	Description     string        `json:"description,omitempty" maxLength:"2000" example:"Cheap first, strong when that fails"`
	Strategy        string        `json:"strategy" required:"true" enum:"fallback,weighted,round_robin,lowest_cost,lowest_latency" doc:"How the first target is picked; the others follow when it fails." example:"fallback"`
	Targets         []RouteTarget `json:"targets" required:"true" minItems:"1" maxItems:"50" doc:"Models that can answer."`
	Retry           *RouteRetry   `json:"retry,omitempty" doc:"How often one target is tried."`
	CacheTTLSeconds int           `json:"cache_ttl_seconds" default:"0" minimum:"0" maximum:"0" doc:"Answers are not cached yet: only 0 is accepted."`
	Enabled         bool          `json:"enabled" default:"true"`
}

// RouteTarget is one model of a route.
type RouteTarget struct {
	Model    string  `json:"model" required:"true" minLength:"3" maxLength:"200" doc:"Model id provider/model." example:"strata/extract-1"`
	Weight   float64 `json:"weight,omitempty" minimum:"0" doc:"Share of calls, for the strategy weighted." example:"1"`
	Priority int     `json:"priority,omitempty" doc:"Lower is tried earlier, for the strategy fallback."`
}

// RouteRetry says how one target is retried.
type RouteRetry struct {
	MaxAttempts int `json:"max_attempts,omitempty" minimum:"1" maximum:"10" example:"2"`
	BackoffMS   int `json:"backoff_ms,omitempty" minimum:"0" maximum:"60000" example:"200"`
}

// ModelRoutes is the kind of [ModelRoute].
var ModelRoutes = &domain.Kind[ModelRoute]{
	KindSpec: domain.KindSpec{
		Name: "model_route", Plural: "model-routes", Prefix: "mrt", Tag: "Providers",
		Doc: "A routed model: flotorch/<name> picks one of its targets.",
		Key: "name", ByKey: true, Search: []string{"name", "description"}, Filters: []string{"strategy", "enabled"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/model-routes", Param: "name"}},
	},
	Check: func(r *ModelRoute, f *domain.Faults) {
		f.Add(!slug.MatchString(r.Name), "name", "must be letters, digits, '.', '_' or '-', and begin with a letter or digit")
		f.Add(len(r.Targets) == 0, "targets", "needs at least one")
		var weights float64
		for i, t := range r.Targets {
			weights += t.Weight
			provider, model, _ := strings.Cut(t.Model, "/")
			f.Add(provider == "" || model == "", fmt.Sprintf("targets[%d].model", i), "must be provider/model")
			f.Add(provider == "flotorch", fmt.Sprintf("targets[%d].model", i), "must not be another route")
		}
		f.Add(r.Strategy == "weighted" && weights == 0, "targets", "need a weight for the strategy weighted")
	},
	Example: ModelRoute{
		Name: "smart-model", Description: "Cheap first, strong when that fails", Strategy: "fallback",
		Targets: []RouteTarget{{Model: "open-ai-provider/llama3.2"}, {Model: "strata/extract-1"}}, Enabled: true,
	},
}
