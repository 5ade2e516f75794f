package memory_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/memory"
)

var embedded = memory.Embedded{Of: memory.Fingerprint("Bob prefers tea"), Model: "strata/embed-1", Numbers: memory.Pack([]float32{3, 4}),
	DuplicateOf: "mem_0", Subject: "user_bob"}

func TestKeep(t *testing.T) {
	again, other, moved := embedded, embedded, embedded
	again.DuplicateOf = "" // what it is like may have changed; what it says has not
	other.Of, moved.Subject = memory.Fingerprint("Bob prefers coffee"), "user_eve"
	domaintest.Given(t, memory.Vectors).When(memory.Keep{Embedded: embedded}).Then(embedded)
	domaintest.Given(t, memory.Vectors, embedded).When(memory.Keep{Embedded: again}).ThenNothing()
	domaintest.Given(t, memory.Vectors, embedded).When(memory.Keep{Embedded: other}).Then(other)
	domaintest.Given(t, memory.Vectors, embedded).When(memory.Keep{Embedded: moved}).Then(moved)
	domaintest.Given(t, memory.Vectors, embedded, domain.Erased{Type: embedded.EventType()}).When(memory.Keep{Embedded: embedded}).Then(embedded)
	domaintest.Given(t, memory.Vectors, memory.VectorRemoved{}).When(memory.Keep{Embedded: embedded}).ThenNothing()
	domaintest.Given(t, memory.Vectors).When(memory.Keep{Embedded: memory.Embedded{Numbers: []byte{1}}}).
		ThenError(domain.CodeValidation, "of", "model", "numbers")
}

func TestRemove(t *testing.T) {
	domaintest.Given(t, memory.Vectors, embedded).When(memory.Remove{}).Then(memory.VectorRemoved{})
	domaintest.Given(t, memory.Vectors, embedded, memory.VectorRemoved{}).When(memory.Remove{}).ThenNothing()
}

var failed = memory.EmbeddingFailed{Of: embedded.Of, Model: embedded.Model, Code: domain.CodeQuotaExceeded, Reason: "the budget is spent", Subject: "user_bob"}

func TestFail(t *testing.T) {
	later := failed
	later.Reason = "the model is unknown"
	domaintest.Given(t, memory.Vectors).When(memory.Fail{EmbeddingFailed: failed}).Then(failed)
	domaintest.Given(t, memory.Vectors, failed).When(memory.Fail{EmbeddingFailed: failed}).ThenNothing()
	domaintest.Given(t, memory.Vectors, failed).When(memory.Fail{EmbeddingFailed: later}).Then(later)
	domaintest.Given(t, memory.Vectors, failed).When(memory.Keep{Embedded: embedded}).Then(embedded)
	domaintest.Given(t, memory.Vectors, failed, embedded).When(memory.Fail{EmbeddingFailed: failed}).ThenNothing()
	domaintest.Given(t, memory.Vectors, memory.VectorRemoved{}).When(memory.Fail{EmbeddingFailed: failed}).ThenNothing()
	domaintest.Given(t, memory.Vectors).When(memory.Fail{}).ThenError(domain.CodeValidation, "of", "code")
}

// Likeness is the cosine, whatever the lengths were.
func TestLikeness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.Float32Range(-100, 100), 3, 3)
		a, b := numbers.Draw(t, "a"), numbers.Draw(t, "b")
		var ab, aa, bb float64
		for i := range a {
			x, y := float64(a[i]), float64(b[i])
			ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
		}
		want := 0.0
		if aa > 0 && bb > 0 {
			want = ab / math.Sqrt(aa) / math.Sqrt(bb)
		}
		if got := memory.Likeness(memory.Pack(a), memory.Pack(b)); math.Abs(got-want) > 1e-5 {
			t.Fatalf("likeness %v, want %v", got, want)
		}
	})
	if memory.Likeness(memory.Pack([]float32{1}), memory.Pack([]float32{1, 0})) != 0 {
		t.Error("vectors of different lengths were compared")
	}
}
