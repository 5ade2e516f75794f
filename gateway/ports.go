package gateway

import (
	"context"
	"encoding/json"
	"time"

	"strata/domain"
	"strata/domain/inference"
)

// ProviderType is the sort of a provider.
type ProviderType string

// The provider types. All but echo are reached in OpenAI's wire format, which
// each of these vendors offers beside its own.
const (
	OpenAI           ProviderType = "openai"
	Anthropic        ProviderType = "anthropic"
	AzureOpenAI      ProviderType = "azure_openai"
	Bedrock          ProviderType = "bedrock"
	Vertex           ProviderType = "vertex"
	Mistral          ProviderType = "mistral"
	Cohere           ProviderType = "cohere"
	Ollama           ProviderType = "ollama"
	OpenAICompatible ProviderType = "openai_compatible"
	EchoType         ProviderType = "echo" // built in: repeats what it is told
)

// Provider is a workspace's access to models.
type Provider struct {
	Name      string // slug; the part of a model id before the first slash
	Type      ProviderType
	BaseURL   string          // "" = the vendor's own, where there is one
	APIKey    string          // plain; never logged, recorded or shown
	Config    json.RawMessage // see ProviderConfig
	Models    []string        // models it offers; empty = any name is passed on
	Priority  int             // lower comes first where several offer a model
	IsDefault bool            // serves bare model names
	Enabled   bool
	Created   time.Time
}

// Strategy is how a route orders its targets. The first one is tried first, the
// others are what it falls back to.
type Strategy string

// The strategies.
const (
	Fallback      Strategy = "fallback"       // by priority, lowest first
	Weighted      Strategy = "weighted"       // at random, in proportion to the weights
	RoundRobin    Strategy = "round_robin"    // in turn
	LowestCost    Strategy = "lowest_cost"    // by the bound of what the call can cost
	LowestLatency Strategy = "lowest_latency" // by the time recent calls took
)

// Route is a virtual model, addressed as "flotorch/<name>" or by its bare name.
type Route struct {
	Name     string
	Strategy Strategy
	Targets  []Target
	Retry    Retry
	Enabled  bool
	Created  time.Time
}

// Target is one model a route may use.
type Target struct {
	Model    string  // "provider/model", or a bare name of the default provider; not another route
	Weight   float64 // for Weighted; 0 counts as 1 unless another target has a weight
	Priority int     // for Fallback
}

// Retry is how often and how fast a failed request is sent again. Zero fields
// take the gateway's default.
type Retry struct {
	MaxAttempts int           // requests per target, the first included
	Backoff     time.Duration // before the second request; doubles each time, with jitter
	MaxBackoff  time.Duration // also the longest Retry-After that is waited for
}

// Directory knows the providers and routes of workspaces. It is asked several
// times per call, so it should answer from memory. For what does not exist it
// returns an error with domain.CodeNotFound.
type Directory interface {
	Provider(ctx context.Context, workspace, name string) (Provider, error)
	Providers(ctx context.Context, workspace string) ([]Provider, error)
	Route(ctx context.Context, workspace, name string) (Route, error)
	Routes(ctx context.Context, workspace string) ([]Route, error)
}

// Budgets is the ledger of what may be spent. Every reservation is followed by
// exactly one Settle or Release.
type Budgets interface {
	// Reserve takes the most a call to a model can use from every budget that
	// applies to it and returns what it took, nothing when no budget applies.
	// It returns an error with domain.CodeQuotaExceeded when a hard limit
	// refuses; then nothing is taken. model is "provider/model".
	Reserve(ctx context.Context, call Call, model string, maxCost domain.Money, maxTokens int64) ([]inference.Reservation, error)

	// Settle replaces reservations by what was really used.
	Settle(ctx context.Context, reservations []inference.Reservation, cost domain.Money, tokens int64) error

	// Release gives reservations back unused.
	Release(ctx context.Context, reservations []inference.Reservation) error
}

// Recorder writes calls to the log and returns when they are durable. payload is
// nil when what was said is not to be kept.
type Recorder interface {
	Record(ctx context.Context, call inference.Recorded, payload *inference.PayloadRecorded) error
}

// Metrics observes calls. Implementations must not block.
type Metrics interface {
	InFlight(change int)              // +1 when a call begins, -1 when it ends
	Observe(call *inference.Recorded) // once per call, after it was recorded
	Attempt(provider, outcome string) // once per request to a provider: "ok" or the kind of failure
	Breaker(target string, open bool) // the circuit breaker of a workspace/provider/model opened or closed
}

type noMetrics struct{}

func (noMetrics) InFlight(int)                {}
func (noMetrics) Observe(*inference.Recorded) {}
func (noMetrics) Attempt(string, string)      {}
func (noMetrics) Breaker(string, bool)        {}
