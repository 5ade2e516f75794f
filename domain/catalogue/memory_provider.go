package catalogue

import (
	"net/url"
	"strings"

	"strata/domain"
	"strata/domain/memory"
)

// MemoryProvider is a service that keeps memories in the place of Strata.
type MemoryProvider struct {
	domain.Base
	Name      string `json:"name" required:"true" access:"c" minLength:"1" maxLength:"100" doc:"Name, unique in the workspace: it is in the path of /v1/memory/{provider}/memories, and agents name it as memory_provider." example:"longterm"`
	Type      string `json:"type" required:"true" access:"c" enum:"mem0" doc:"Which protocol it speaks." example:"mem0"`
	API       string `json:"api" enum:"platform,server" default:"platform" doc:"Which of mem0's REST APIs: that of its platform (/v1/memories/, /v2/memories/search/), or that of its open-source server (/memories, /search)." example:"platform"`
	BaseURL   string `json:"base_url,omitempty" maxLength:"2000" doc:"Where its API begins; https://api.mem0.ai when empty, for the platform. Private addresses need the setting outbound.private." example:"https://api.mem0.ai"`
	APIKey    string `json:"api_key,omitempty" access:"w" maxLength:"4000" doc:"Its credential: sent as Authorization: Token to the platform, as X-API-Key to a server. Kept sealed, never returned."`
	Infer     bool   `json:"infer" default:"false" doc:"Whether mem0 has its own model make memories of what is added. When false a text is kept as it is."`
	TimeoutMS int    `json:"timeout_ms" default:"30000" minimum:"1" maximum:"300000" doc:"How long one operation may take, in milliseconds."`
	Enabled   bool   `json:"enabled" default:"true" doc:"A provider that is not enabled is not called."`
}

// MemoryProviders is the kind of [MemoryProvider].
var MemoryProviders = &domain.Kind[MemoryProvider]{
	KindSpec: domain.KindSpec{
		Name: "memory_provider", Plural: "memory-providers", Prefix: "memp", Tag: "Memory",
		Doc: "A service that keeps memories in the place of Strata.",
		Key: "name", ByKey: true, Search: []string{"name"}, Filters: []string{"type", "enabled"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/memory-providers", Param: "name"}, {Mount: "v1", Path: "/memory-providers", Param: "name"}},
	},
	Check: func(p *MemoryProvider, f *domain.Faults) {
		f.Add(!slug.MatchString(p.Name), "name", "must be letters, digits, '.', '_' or '-', and begin with a letter or digit")
		f.Add(strings.EqualFold(p.Name, memory.Internal), "name", "%q is Strata itself", memory.Internal)
		f.Add(p.BaseURL == "" && p.API == "server", "base_url", "is required for a server")
		if p.BaseURL != "" {
			u, err := url.Parse(p.BaseURL)
			f.Add(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "", "base_url", "must be an http or https URL")
			f.Add(err == nil && u.User != nil, "base_url", "must hold no password; api_key does")
		}
	},
	Example: MemoryProvider{Name: "longterm", Type: "mem0", API: "platform", BaseURL: "https://api.mem0.ai", TimeoutMS: 30000, Enabled: true},
}
