// Package pricing knows what models cost and how much they can read and write.
// The table is data (prices.json, in dollars per million tokens, as providers
// publish them); an installation corrects or extends it in a provider's
// configuration. A model that no entry matches is free and Known is false:
// inventing a price would make every sum a lie.
package pricing

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"strata/domain"
)

// Price of one model. Amounts are micro-dollars per million tokens.
type Price struct {
	Input       int64
	CachedInput int64 // input tokens the provider served from its prompt cache
	Output      int64

	ContextWindow   int64 // most tokens in and out together; 0 = unknown
	MaxOutputTokens int64 // most tokens of one answer; 0 = unknown

	Known bool // false: no entry matched
}

// Usage is what a call consumed.
type Usage struct {
	InputTokens  int64
	CachedTokens int64 // part of InputTokens
	OutputTokens int64
}

const perMillion = 1_000_000

// Cost returns what a usage costs, to the nearest micro-dollar.
func (p Price) Cost(u Usage) domain.Money {
	return domain.Money((p.exact(u) + perMillion/2) / perMillion)
}

// Bound returns a cost that Cost never exceeds for a usage with at most as many
// tokens: nothing is taken as cached unless cached input were dearer, and
// fractions are rounded up.
func (p Price) Bound(inputTokens, outputTokens int64) domain.Money {
	worst := p
	worst.Input = max(p.Input, p.CachedInput)
	exact := worst.exact(Usage{InputTokens: inputTokens, OutputTokens: outputTokens})
	if exact > math.MaxInt64-perMillion {
		return math.MaxInt64 / perMillion
	}
	return domain.Money((exact + perMillion - 1) / perMillion)
}

// exact is the cost in micro-dollars times a million, saturating.
func (p Price) exact(u Usage) int64 {
	cached := min(max(u.CachedTokens, 0), u.InputTokens)
	return add(add(multiply(u.InputTokens-cached, p.Input), multiply(cached, p.CachedInput)), multiply(u.OutputTokens, p.Output))
}

const saturated = math.MaxInt64 - perMillion

func multiply(tokens, price int64) int64 {
	if tokens <= 0 || price <= 0 {
		return 0
	}
	if tokens > saturated/price {
		return saturated
	}
	return tokens * price
}

func add(a, b int64) int64 {
	if a > saturated-b {
		return saturated
	}
	return a + b
}

// Entry is one line of a table, as it is written in JSON. Prices are dollars
// per million tokens.
type Entry struct {
	Model           string   `json:"model"` // exact, or a beginning followed by "*"
	Input           float64  `json:"input"`
	CachedInput     *float64 `json:"cached_input,omitempty"` // default: as Input
	Output          float64  `json:"output,omitempty"`
	ContextWindow   int64    `json:"context_window,omitempty"`
	MaxOutputTokens int64    `json:"max_output_tokens,omitempty"`
}

// Table finds the price of a model by name. It does not change once made.
type Table struct {
	exact    map[string]Price
	prefixes []prefix
}

type prefix struct {
	text  string
	price Price
}

// NewTable checks entries and builds a table of them.
func NewTable(entries []Entry) (*Table, error) {
	t := &Table{exact: map[string]Price{}}
	for _, e := range entries {
		if e.Model == "" {
			return nil, fmt.Errorf("price table: an entry has no model")
		}
		p := Price{ContextWindow: e.ContextWindow, MaxOutputTokens: e.MaxOutputTokens, Known: true}
		var err error
		if p.Input, err = micro(e.Input); err == nil {
			p.CachedInput = p.Input
			if e.CachedInput != nil {
				p.CachedInput, err = micro(*e.CachedInput)
			}
		}
		if err == nil {
			p.Output, err = micro(e.Output)
		}
		if err != nil || p.ContextWindow < 0 || p.MaxOutputTokens < 0 {
			return nil, fmt.Errorf("price table: %s: every price and limit must be a number from 0 to 1,000,000,000", e.Model)
		}
		if beginning, ok := strings.CutSuffix(e.Model, "*"); ok {
			t.prefixes = append(t.prefixes, prefix{beginning, p})
		} else {
			t.exact[e.Model] = p
		}
	}
	return t, nil
}

func micro(dollars float64) (int64, error) {
	if !(dollars >= 0 && dollars <= 1e9) { // also refuses NaN
		return 0, fmt.Errorf("%v dollars", dollars)
	}
	return int64(math.Round(dollars * 1e6)), nil
}

// Lookup returns the price of a model: of the entry with exactly its name, else
// of the longest beginning that matches, else the same for what follows the
// last slash ("openai/gpt-4o" at a reseller).
func (t *Table) Lookup(model string) Price {
	if t == nil {
		return Price{}
	}
	if p, ok := t.find(model); ok {
		return p
	}
	if i := strings.LastIndexByte(model, '/'); i >= 0 {
		p, _ := t.find(model[i+1:])
		return p
	}
	return Price{}
}

func (t *Table) find(model string) (Price, bool) {
	if p, ok := t.exact[model]; ok {
		return p, true
	}
	best := -1
	for i, candidate := range t.prefixes {
		if strings.HasPrefix(model, candidate.text) && (best < 0 || len(candidate.text) > len(t.prefixes[best].text)) {
			best = i
		}
	}
	if best < 0 {
		return Price{}, false
	}
	return t.prefixes[best].price, true
}

//go:embed prices.json
var embedded []byte

// Default returns the table that comes with Strata.
func Default() (*Table, error) {
	var file struct {
		Models []Entry `json:"models"`
	}
	if err := json.Unmarshal(embedded, &file); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	return NewTable(file.Models)
}
