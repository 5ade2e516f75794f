package catalogue

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"strata/domain"
)

// Provider is a model provider: where calls to "<name>/<model>" go.
type Provider struct {
	domain.Base
	Name      string         `json:"name" required:"true" access:"c" minLength:"1" maxLength:"100" doc:"First part of the model ids it serves, unique in the workspace." example:"open-ai-provider"`
	Type      string         `json:"type" required:"true" access:"c" enum:"openai,anthropic,azure_openai,bedrock,vertex,mistral,cohere,ollama,openai_compatible,echo" doc:"Which protocol it speaks." example:"openai_compatible"`
	BaseURL   string         `json:"base_url,omitempty" maxLength:"2000" doc:"Where its API begins; has a default for well-known types." example:"http://localhost:11434/v1"`
	APIKey    string         `json:"api_key,omitempty" access:"w" maxLength:"4000" doc:"Its credential. Kept sealed, never returned."`
	Config    map[string]any `json:"config,omitempty" doc:"Extra settings: headers, prices, timeoutMs."`
	Models    []string       `json:"models,omitempty" maxItems:"1000" doc:"Models it serves, for the model list and for bare names."`
	Priority  int            `json:"priority" default:"0" doc:"Lower comes first where several could serve a bare model name."`
	IsDefault bool           `json:"is_default" default:"false" doc:"Bare model names go to the default provider."`
	Enabled   bool           `json:"enabled" default:"true"`
}

// needBaseURL are the types whose address nobody can know: it holds the
// customer's own resource, region or host.
var needBaseURL = []string{"azure_openai", "bedrock", "vertex", "openai_compatible"}

var slug = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// reservedProviders are names that model ids use otherwise.
var reservedProviders = []string{"strata", "flotorch"}

// Providers is the kind of [Provider].
var Providers = &domain.Kind[Provider]{
	KindSpec: domain.KindSpec{
		Name: "provider", Plural: "providers", Prefix: "prov", Tag: "Providers",
		Doc: "A model provider: where calls to <name>/<model> go.",
		Key: "name", Search: []string{"name"}, Filters: []string{"type", "enabled", "is_default"}, Sorts: []string{"priority"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/providers", Param: "provider_id"}},
	},
	Check: func(p *Provider, f *domain.Faults) {
		f.Add(!slug.MatchString(p.Name), "name", "must be letters, digits, '.', '_' or '-', and begin with a letter or digit")
		f.Add(slices.Contains(reservedProviders, strings.ToLower(p.Name)), "name", "%q is reserved", p.Name)
		if p.BaseURL == "" {
			f.Add(slices.Contains(needBaseURL, p.Type), "base_url", "is required for the type %s", p.Type)
			return
		}
		u, err := url.Parse(p.BaseURL)
		f.Add(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "", "base_url", "must be an http or https URL")
	},
	Example: Provider{
		Name: "open-ai-provider", Type: "openai_compatible", BaseURL: "http://localhost:11434/v1",
		Models: []string{"llama3.2"}, Enabled: true,
	},
}
