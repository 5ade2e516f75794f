package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"strata/domain"
	"strata/gateway/pricing"
	"strata/gateway/upstream"
)

// ProviderConfig is what a provider's "config" object may hold. Keys are read in
// either case style; unknown ones are left alone.
type ProviderConfig struct {
	Headers          map[string]string        // headers: sent with every request
	APIVersion       string                   // api_version: of Azure; default 2024-10-21
	FirstByteTimeout time.Duration            // first_byte_timeout_ms
	IdleTimeout      time.Duration            // idle_timeout_ms: between two frames
	NoStreamUsage    bool                     // stream_usage: false for providers that refuse stream_options
	MaxTokensField   string                   // max_tokens_field: how to limit an answer; default by type
	Prices           map[string]pricing.Entry // prices: model → prices, before the built-in table
	table            *pricing.Table
}

const defaultAzureVersion = "2024-10-21"

// ParseProviderConfig reads and checks a provider's "config" object; nothing, or
// null, is an empty one. Errors name every faulty field below "config".
func ParseProviderConfig(raw json.RawMessage) (ProviderConfig, error) {
	var c ProviderConfig
	if len(bytes.TrimSpace(raw)) == 0 || string(bytes.TrimSpace(raw)) == "null" {
		return c, nil
	}
	fields, err := canonical(raw)
	if err != nil {
		return c, &domain.Error{Code: domain.CodeValidation, Message: "invalid input data", Fields: []domain.FieldError{{Field: "config", Message: "must be an object"}}}
	}
	var faults domain.Faults
	read := func(key, name string, into any, want string) {
		if value, ok := fields[key]; ok && json.Unmarshal(value, into) != nil {
			faults.Add(true, "config."+name, "must be %s", want)
		}
	}
	var firstByte, idle int64
	streamUsage := true
	read("headers", "headers", &c.Headers, "an object of texts")
	read("apiversion", "api_version", &c.APIVersion, "a text")
	read("firstbytetimeoutms", "first_byte_timeout_ms", &firstByte, "a number of milliseconds")
	read("idletimeoutms", "idle_timeout_ms", &idle, "a number of milliseconds")
	read("streamusage", "stream_usage", &streamUsage, "true or false")
	read("maxtokensfield", "max_tokens_field", &c.MaxTokensField, "a text")
	faults.Add(firstByte < 0 || firstByte > maxTimeoutMS, "config.first_byte_timeout_ms", "must be between 0 and %d", maxTimeoutMS)
	faults.Add(idle < 0 || idle > maxTimeoutMS, "config.idle_timeout_ms", "must be between 0 and %d", maxTimeoutMS)
	faults.Add(!slices.Contains([]string{"", "max_tokens", "max_completion_tokens"}, c.MaxTokensField), "config.max_tokens_field", "must be max_tokens or max_completion_tokens")
	c.FirstByteTimeout, c.IdleTimeout = time.Duration(firstByte)*time.Millisecond, time.Duration(idle)*time.Millisecond
	c.NoStreamUsage = !streamUsage
	c.readPrices(fields["prices"], &faults)
	return c, faults.Err()
}

const maxTimeoutMS = 3_600_000

// readPrices reads {"gpt-4o*": {"input": 2.5, "output": 10, …}, …}.
func (c *ProviderConfig) readPrices(raw json.RawMessage, faults *domain.Faults) {
	if len(raw) == 0 || string(raw) == "null" {
		return
	}
	var models map[string]json.RawMessage
	if json.Unmarshal(raw, &models) != nil {
		faults.Add(true, "config.prices", "must be an object of models")
		return
	}
	c.Prices = map[string]pricing.Entry{}
	var entries []pricing.Entry
	for model, value := range models {
		entry, err := readPrice(model, value)
		if err == nil {
			_, err = pricing.NewTable([]pricing.Entry{entry})
		}
		if err != nil {
			faults.Add(true, "config.prices."+model, "must hold prices (dollars per million tokens: input, cached_input, output) and limits (context_window, max_output_tokens), none negative")
			continue
		}
		c.Prices[model] = entry
		entries = append(entries, entry)
	}
	table, err := pricing.NewTable(entries)
	faults.Add(err != nil, "config.prices", "cannot be used: %v", err)
	c.table = table
}

func readPrice(model string, raw json.RawMessage) (pricing.Entry, error) {
	e := pricing.Entry{Model: model}
	fields, err := canonical(raw)
	if err != nil {
		return e, err
	}
	for key, into := range map[string]any{
		"input": &e.Input, "cachedinput": &e.CachedInput, "output": &e.Output,
		"contextwindow": &e.ContextWindow, "maxoutputtokens": &e.MaxOutputTokens,
	} {
		if value, ok := fields[key]; ok {
			if err := json.Unmarshal(value, into); err != nil {
				return e, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return e, nil
}

// canonical reads an object with its keys in lower case and without underscores,
// so that max_tokens and maxTokens are the same.
func canonical(raw json.RawMessage) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, fmt.Errorf("not an object: %w", err)
	}
	out := make(map[string]json.RawMessage, len(fields))
	for key, value := range fields {
		out[strings.ToLower(strings.ReplaceAll(key, "_", ""))] = value
	}
	return out, nil
}

// baseURLs are the vendors' own addresses of their OpenAI-compatible interface.
// Azure, Bedrock and Vertex have one per customer.
var baseURLs = map[ProviderType]string{
	OpenAI:    "https://api.openai.com/v1",
	Anthropic: "https://api.anthropic.com/v1",
	Mistral:   "https://api.mistral.ai/v1",
	Cohere:    "https://api.cohere.ai/compatibility/v1",
	Ollama:    "http://localhost:11434/v1",
}

// connected is a provider made ready for use. It is kept until the provider changes.
type connected struct {
	settings  Provider
	config    ProviderConfig
	backend   upstream.Backend
	limitWith string // request field that limits an answer
	local     bool   // runs on the customer's own machine: free unless priced
}

// connect returns the backend of a provider.
func (g *Gateway) connect(workspace string, p Provider) (*connected, error) {
	key := workspace + "/" + p.Name
	if cached, ok := g.clients.Load(key); ok {
		if c := cached.(*connected); c.settings.Type == p.Type && c.settings.BaseURL == p.BaseURL &&
			c.settings.APIKey == p.APIKey && bytes.Equal(c.settings.Config, p.Config) {
			return c, nil
		}
	}
	config, err := ParseProviderConfig(p.Config)
	if err != nil {
		return nil, domain.Errorf(domain.CodeAIService, "the provider %q is not configured rightly", p.Name).With(ParamProvider, p.Name).Because(err)
	}
	c := &connected{settings: p, config: config, limitWith: config.MaxTokensField, local: p.Type == Ollama}
	if p.Type == EchoType {
		c.backend, c.local = g.builtin.AsEcho(), true
	} else if c.backend, err = g.client(p, config); err != nil {
		return nil, err
	}
	if c.limitWith == "" {
		// OpenAI's reasoning models know only the new name, most others only the old.
		c.limitWith = "max_tokens"
		if p.Type == OpenAI || p.Type == AzureOpenAI {
			c.limitWith = "max_completion_tokens"
		}
	}
	g.clients.Store(key, c)
	return c, nil
}

func (g *Gateway) client(p Provider, config ProviderConfig) (*upstream.Client, error) {
	endpoint := upstream.Endpoint{
		BaseURL: p.BaseURL, APIKey: p.APIKey, Headers: config.Headers,
		Azure: p.Type == AzureOpenAI, APIVersion: config.APIVersion, Timeouts: g.Timeouts,
	}
	if endpoint.BaseURL == "" {
		endpoint.BaseURL = baseURLs[p.Type]
	}
	if endpoint.BaseURL == "" {
		return nil, domain.Errorf(domain.CodeAIService, "the provider %q has no base URL", p.Name).With(ParamProvider, p.Name)
	}
	if endpoint.APIVersion == "" {
		endpoint.APIVersion = defaultAzureVersion
	}
	if config.FirstByteTimeout > 0 {
		endpoint.Timeouts.FirstByte = config.FirstByteTimeout
	}
	if config.IdleTimeout > 0 {
		endpoint.Timeouts.Idle = config.IdleTimeout
	}
	return upstream.NewClient(endpoint, g.Transport), nil
}

// price finds what a model of the provider costs.
func (c *connected) price(table *pricing.Table, model string) pricing.Price {
	if p := c.config.table.Lookup(model); p.Known {
		return p
	}
	if c.local {
		return pricing.Price{}
	}
	return table.Lookup(model)
}

// ProviderModels asks a provider which models it offers. It serves to check a
// provider and to fill its list of models, and is neither billed nor recorded.
func (g *Gateway) ProviderModels(ctx context.Context, workspace string, p Provider) ([]string, error) {
	c, err := g.connect(workspace, p)
	if err != nil {
		return nil, err
	}
	names, err := c.backend.Models(ctx)
	if err != nil {
		return nil, providerError(&candidate{connected: c, provider: p.Name}, upstream.AsFailure(err))
	}
	return names, nil
}
