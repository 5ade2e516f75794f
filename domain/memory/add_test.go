package memory_test

import (
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/memory"
)

func TestAdd(t *testing.T) {
	fields := added.Fields
	fields.Type = ""
	s := domaintest.Given(t, memory.Aggregate).When(memory.Add{Fields: fields}).Then(added).State()
	if !s.Exists || s.Content != "Bob prefers tea" || s.Provider != memory.Internal {
		t.Errorf("state %+v", s)
	}
}

func TestAddAboutNobodyIsSealedByTheMemory(t *testing.T) {
	domaintest.Given(t, memory.Aggregate).Of("mem_1").
		When(memory.Add{Fields: memory.Fields{Content: "Tea is hot"}}).
		Then(memory.Added{Provider: memory.Internal, Fields: memory.Fields{Content: "Tea is hot", Type: memory.Semantic}, Subject: "mem_1"})
}

func TestAddRefused(t *testing.T) {
	ok := memory.Add{Fields: memory.Fields{Content: "x"}}
	domaintest.Given(t, memory.Aggregate, added).When(ok).ThenError(domain.CodeConflict)
	elsewhere := ok
	elsewhere.Provider = "elsewhere"
	domaintest.Given(t, memory.Aggregate).When(elsewhere).ThenError(domain.CodeNotFound)
}

func TestAddNamesEveryFault(t *testing.T) {
	long := strings.Repeat("x", 70<<10)
	domaintest.Given(t, memory.Aggregate).
		When(memory.Add{Fields: memory.Fields{
			Type: "odd", AgentID: long, UserID: long, SessionID: long, AppID: long,
			Metadata: domain.Doc{"k": raw(`"` + long + `"`)}, Importance: new(-0.1), ExpiresAt: domaintest.Now.Add(-time.Second),
		}}).
		ThenError(domain.CodeValidation, "content", "type", "agent_id", "user_id", "session_id", "app_id", "metadata", "importance", "expires_at")
	domaintest.Given(t, memory.Aggregate).
		When(memory.Add{Fields: memory.Fields{Content: long, ExpiresAt: domaintest.Now}}).
		ThenError(domain.CodeValidation, "content", "expires_at")
}
