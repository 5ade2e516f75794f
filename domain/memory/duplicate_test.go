package memory_test

import (
	"testing"
	"time"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/memory"
)

func TestDrop(t *testing.T) {
	domaintest.Given(t, memory.Aggregate, added).When(memory.Drop{DuplicateOf: "mem_0"}).Then(memory.Forgotten{DuplicateOf: "mem_0"})
	domaintest.Given(t, memory.Aggregate, added, memory.Forgotten{}).When(memory.Drop{DuplicateOf: "mem_0"}).ThenError(domain.CodeNotFound)
}

// The earlier memory keeps its words and takes over the rest, once.
func TestAbsorb(t *testing.T) {
	later := memory.Fields{Content: "Bob likes tea", Metadata: domain.Doc{"n": raw("1")}, Importance: new(0.9)}
	took := memory.Revised{Subject: "user_bob", Changed: domain.Doc{"metadata": raw(`{"n":1,"topic":"drinks"}`), "importance": raw("0.9"), "expires_at": raw("null")}}
	domaintest.Given(t, memory.Aggregate, added).When(memory.Absorb{Later: later}).Then(took)
	domaintest.Given(t, memory.Aggregate, added, took).When(memory.Absorb{Later: later}).ThenNothing()
	weaker := memory.Fields{Content: "x", Importance: new(0.1), ExpiresAt: domaintest.Now.Add(time.Minute)}
	domaintest.Given(t, memory.Aggregate, added).When(memory.Absorb{Later: weaker}).ThenNothing()
	domaintest.Given(t, memory.Aggregate, added, memory.Forgotten{}).When(memory.Absorb{Later: later}).ThenError(domain.CodeNotFound)
}

func TestAddOnDuplicate(t *testing.T) {
	domaintest.Given(t, memory.Aggregate).When(memory.Add{Fields: added.Fields, OnDuplicate: "often"}).ThenError(domain.CodeValidation, "on_duplicate")
	domaintest.Given(t, memory.Aggregate).When(memory.Add{Fields: added.Fields, OnDuplicate: memory.KeepBoth}).Then(added)
	skip := added
	skip.OnDuplicate = memory.SkipLater
	domaintest.Given(t, memory.Aggregate).When(memory.Add{Fields: added.Fields, OnDuplicate: memory.SkipLater}).Then(skip)
}
