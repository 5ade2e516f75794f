package insight_test

import (
	"testing"

	"strata/domain"
	"strata/domain/argument"
	"strata/domain/domaintest"
	"strata/domain/insight"
)

var (
	requested = insight.Requested{Actions: []string{"act_1"}, Client: "cli_1", Model: "p/m", Subject: "cli_1"}
	completed = insight.Completed{Found: insight.Found{Argument: "a", ArgumentContent: "b", ArgumentThinking: "c", BestChannel: "email", BestTime: "morning",
		Timeliness: "now", Insight: "i", Thinking: "t", Type: "discount"}, DurationMS: 12, Usage: argument.Usage{Prompt: 3, Completion: 2, Total: 5},
		FinishReason: "stop", Model: "p/m", Cost: 7, Subject: "cli_1"}
	failed = insight.Failed{Code: "AI_SERVICE_ERROR", Message: "the provider went away", DurationMS: 3, Subject: "cli_1"}
)

func TestGolden(t *testing.T) {
	domaintest.Golden(t, insight.FactTypes(), requested, completed, failed, insight.Deleted{})
}

func TestInsight(t *testing.T) {
	none := domaintest.Given(t, insight.Aggregate)
	none.When(insight.Request{Actions: []string{"act_1"}, Client: "cli_1", Model: "p/m"}).Then(requested)
	none.When(insight.Request{}).ThenError(domain.CodeValidation, "client")
	described := insight.Request{Client: "A person of forty", Model: "p/m"}
	none.When(described).Then(insight.Requested{Client: described.Client, Model: "p/m", Subject: domaintest.Subject})

	open := domaintest.Given(t, insight.Aggregate, requested)
	open.When(insight.Complete{Completed: completed}).Then(completed)
	open.When(insight.Fail{Code: domain.CodeAIService, Message: "the provider went away", DurationMS: 3}).Then(failed)
	open.When(insight.Request{Client: "x"}).ThenError(domain.CodeConflict)
	done := domaintest.Given(t, insight.Aggregate, requested, completed)
	done.When(insight.Complete{}).ThenError(domain.CodeConflict)
	done.When(insight.Delete{}).Then(insight.Deleted{})
	domaintest.Given(t, insight.Aggregate, requested, completed, insight.Deleted{}).When(insight.Delete{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, insight.Aggregate, domain.Erased{Type: requested.EventType()}).When(insight.Fail{}).ThenError(domain.CodeGone)
}
