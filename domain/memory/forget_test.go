package memory_test

import (
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/memory"
)

func TestForget(t *testing.T) {
	domaintest.Given(t, memory.Aggregate, added).When(memory.Forget{}).Then(memory.Forgotten{})
	domaintest.Given(t, memory.Aggregate, added, memory.Forgotten{}).When(memory.Forget{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, memory.Aggregate).When(memory.Forget{}).ThenError(domain.CodeNotFound)
}
