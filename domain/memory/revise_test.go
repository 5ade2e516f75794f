package memory_test

import (
	"testing"
	"time"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/memory"
)

func TestRevise(t *testing.T) {
	s := domaintest.Given(t, memory.Aggregate, added).
		When(memory.Revise{Patch: domain.Doc{
			"content": raw(`"Bob prefers coffee"`), "importance": raw("null"), "app_id": raw(`"app_1"`),
		}}).
		Then(memory.Revised{
			Changed: domain.Doc{"content": raw(`"Bob prefers coffee"`), "importance": raw("null")}, Subject: "user_bob",
		}).State()
	if s.Content != "Bob prefers coffee" || s.Importance != nil || s.AppID != "app_1" || !s.UpdatedAt.After(s.CreatedAt) {
		t.Errorf("state %+v", s)
	}
}

func TestReviseNothing(t *testing.T) {
	for name, patch := range map[string]domain.Doc{
		"no field":     nil,
		"as it is":     {"content": raw(`"Bob prefers tea"`), "metadata": raw(`{ "topic" : "drinks" }`)},
		"said anew":    {"expires_at": raw(`"` + added.ExpiresAt.In(time.FixedZone("", 3600)).Format(time.RFC3339) + `"`)},
		"default type": {"type": raw("null")},
	} {
		t.Run(name, func(t *testing.T) {
			domaintest.Given(t, memory.Aggregate, added).When(memory.Revise{Patch: patch}).ThenNothing()
		})
	}
}

func TestReviseForAnotherUserSaysEverything(t *testing.T) {
	s := domaintest.Given(t, memory.Aggregate, added, domain.Erased{Type: memory.Revised{}.EventType()}, added).
		When(memory.Revise{Patch: domain.Doc{"user_id": raw(`"user_eve"`), "agent_id": raw("null")}}).
		Then(memory.Revised{
			Changed: domain.Doc{
				"content": raw(`"Bob prefers tea"`), "type": raw(`"semantic"`), "agent_id": raw("null"), "user_id": raw(`"user_eve"`),
				"session_id": raw(`"ses_1"`), "app_id": raw(`"app_1"`), "metadata": raw(`{"topic":"drinks"}`),
				"importance": raw("0.5"), "expires_at": raw(`"2026-03-14T10:26:53Z"`),
			},
			Subject: "user_eve",
		}).State()
	if s.UserID != "user_eve" || s.AgentID != "" {
		t.Errorf("state %+v", s)
	}
}

func TestReviseRefused(t *testing.T) {
	ok := memory.Revise{Patch: domain.Doc{"content": raw(`"x"`)}}
	domaintest.Given(t, memory.Aggregate).When(ok).ThenError(domain.CodeNotFound)
	domaintest.Given(t, memory.Aggregate, added, memory.Forgotten{}).When(ok).ThenError(domain.CodeNotFound)
}

func TestReviseNamesEveryFault(t *testing.T) {
	for name, c := range map[string]struct {
		patch  domain.Doc
		fields []string
	}{
		"unknown":    {domain.Doc{"id": raw(`"x"`), "provider": raw(`"x"`)}, []string{"id", "provider"}},
		"wrong type": {domain.Doc{"content": raw("7")}, []string{"content"}},
		"several":    {domain.Doc{"content": raw("null"), "type": raw(`"odd"`), "importance": raw("1.5"), "expires_at": raw(`"2020-01-01T00:00:00Z"`)}, []string{"content", "type", "importance", "expires_at"}},
	} {
		t.Run(name, func(t *testing.T) {
			domaintest.Given(t, memory.Aggregate, added).When(memory.Revise{Patch: c.patch}).ThenError(domain.CodeValidation, c.fields...)
		})
	}
}

// A memory that has expired can still be revised, for it is still there.
func TestReviseKeepsAPastExpiry(t *testing.T) {
	old := added
	old.ExpiresAt = domaintest.Now.Add(-time.Minute)
	domaintest.Given(t, memory.Aggregate, old).
		When(memory.Revise{Patch: domain.Doc{"content": raw(`"x"`), "expires_at": raw(`"` + old.ExpiresAt.Format(time.RFC3339) + `"`)}}).
		Then(memory.Revised{Changed: domain.Doc{"content": raw(`"x"`)}, Subject: "user_bob"})
}
