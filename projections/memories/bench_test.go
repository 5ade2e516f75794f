package memories_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"strata/domain/memory"
	"strata/projections/memories"
)

// A scope as large as is compared: what the slowest search takes.
func BenchmarkSearchByMeaning(b *testing.B) {
	w := newWorld(b)
	r := rand.New(rand.NewPCG(1, 2))
	numbers := func() []float32 {
		v := make([]float32, 384)
		for i := range v {
			v[i] = r.Float32() - 0.5
		}
		return v
	}
	for i := range 50_000 {
		text := fmt.Sprintf("memory number %d of customer %d", i, i%97)
		id := fmt.Sprintf("mem_%d", i)
		w.given("ws_1", id, added(text, by("user_bob")))
		w.embed("ws_1", id, vector(text, numbers()...))
	}
	w.caughtUp()
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		m := memories.Meaning{Model: "m", Vector: memory.Pack(numbers()), Least: 0.3}
		if _, _, err := w.Search(b.Context(), memories.Filter{Workspace: "ws_1"}, "customer 42", m, 0, 10); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}
