package pricing

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
)

func TestDefaultTable(t *testing.T) {
	table, err := Default()
	if err != nil {
		t.Fatal(err)
	}
	for model, want := range map[string]int64{
		"gpt-4o": 2_500_000, "gpt-4o-2024-08-06": 2_500_000, "gpt-4o-2024-05-13": 5_000_000,
		"gpt-4o-mini-2024-07-18": 150_000, "openai/gpt-4o-mini": 150_000, "o3-mini": 1_100_000,
	} {
		if got := table.Lookup(model); !got.Known || got.Input != want {
			t.Errorf("%s: %+v, want input %d", model, got, want)
		}
	}
	if got := table.Lookup("nobody/knows-this"); got != (Price{}) {
		t.Errorf("an unknown model has a price: %+v", got)
	}
}

func TestCost(t *testing.T) {
	p := Price{Input: 2_500_000, CachedInput: 1_250_000, Output: 10_000_000}
	tests := []struct {
		usage Usage
		want  domain.Money
	}{
		{Usage{}, 0},
		{Usage{InputTokens: 1_000_000, OutputTokens: 1_000_000}, 12_500_000},
		{Usage{InputTokens: 1000, CachedTokens: 1000}, 1250},
		{Usage{InputTokens: 1000, CachedTokens: 5000}, 1250}, // a provider that counts oddly
		{Usage{InputTokens: 1}, 3},                           // 2.5 is rounded
		{Usage{InputTokens: -5, OutputTokens: -5}, 0},
	}
	for _, tt := range tests {
		if got := p.Cost(tt.usage); got != tt.want {
			t.Errorf("Cost(%+v) = %d, want %d", tt.usage, got, tt.want)
		}
	}
	if got := p.Bound(math.MaxInt64, math.MaxInt64); got <= 0 {
		t.Errorf("the bound overflowed: %d", got)
	}
}

func TestNewTableRefuses(t *testing.T) {
	negative := -1.0
	for _, e := range []Entry{{}, {Model: "m", Input: -1}, {Model: "m", Output: math.NaN()}, {Model: "m", CachedInput: &negative}, {Model: "m", ContextWindow: -1}} {
		if _, err := NewTable([]Entry{e}); err == nil {
			t.Errorf("%+v was accepted", e)
		}
	}
}

func TestBoundIsNeverExceeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Int64Range(0, 1e15)
		p := Price{Input: price.Draw(t, "input"), CachedInput: price.Draw(t, "cached"), Output: price.Draw(t, "output")}
		in, out := rapid.Int64Range(0, 1e9).Draw(t, "in"), rapid.Int64Range(0, 1e9).Draw(t, "out")
		u := Usage{
			InputTokens:  rapid.Int64Range(0, in).Draw(t, "used in"),
			OutputTokens: rapid.Int64Range(0, out).Draw(t, "used out"),
		}
		u.CachedTokens = rapid.Int64Range(0, u.InputTokens).Draw(t, "cached in")
		if cost, bound := p.Cost(u), p.Bound(in, out); cost > bound || cost < 0 {
			t.Fatalf("%+v of %+v costs %d, over the bound %d", u, p, cost, bound)
		}
	})
}
