package domain_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
)

func TestFromDollars(t *testing.T) {
	for usd, want := range map[float64]domain.Money{0: 0, 0.05: 50_000, 1.1: 1_100_000, -2.5: -2_500_000, 0.0000005: 1, 0.00000049: 0} {
		if got := domain.FromDollars(usd); got != want {
			t.Errorf("%g dollars are %d, want %d", usd, got, want)
		}
	}
	for _, usd := range []float64{1e13, 1e300, math.MaxFloat64} { // never around to the other side
		if high, low := domain.FromDollars(usd), domain.FromDollars(-usd); high < 4e18 || low != -high {
			t.Errorf("%g dollars are %d and %d", usd, high, low)
		}
	}
}

func TestMoneyThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := domain.Money(rapid.Int64Range(-1e15, 1e15).Draw(t, "micro-dollars"))
		if got := domain.FromDollars(m.Dollars()); got != m {
			t.Fatalf("%d became %d", m, got)
		}
	})
}
