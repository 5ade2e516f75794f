package memory_test

import (
	"testing"
	"time"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/memory"
)

func TestForget(t *testing.T) {
	domaintest.Given(t, memory.Aggregate, added).When(memory.Forget{}).Then(memory.Forgotten{})
	domaintest.Given(t, memory.Aggregate, added, memory.Forgotten{}).When(memory.Forget{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, memory.Aggregate).When(memory.Forget{}).ThenError(domain.CodeNotFound)
}

func TestExpire(t *testing.T) {
	due := added
	due.ExpiresAt = domaintest.Now
	gone := domaintest.Given(t, memory.Aggregate, due).When(memory.Expire{}).Then(memory.Expired{}).State()
	if !gone.Deleted {
		t.Errorf("state %+v", gone)
	}
	forever := added
	forever.ExpiresAt = time.Time{}
	for name, history := range map[string][]domain.Fact{
		"not yet": {added}, "never": {forever}, "forgotten": {due, memory.Forgotten{}}, "expired": {due, memory.Expired{}}, "none": nil,
	} {
		t.Run(name, func(t *testing.T) {
			domaintest.Given(t, memory.Aggregate, history...).When(memory.Expire{}).ThenNothing()
		})
	}
}
