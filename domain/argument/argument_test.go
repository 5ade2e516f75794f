package argument_test

import (
	"encoding/json"
	"testing"

	"strata/domain"
	"strata/domain/argument"
	"strata/domain/domaintest"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

var (
	fields = argument.Fields{ActionID: "act_1", Client: domain.Doc{"id": raw(`"cli_1"`)}, Product: domain.Doc{"name": raw(`"Tea"`)},
		InsightSpec: domain.Doc{"tone": raw(`"warm"`)}}
	requested = argument.Requested{Fields: fields, Model: "p/m", Subject: "cli_1"}
	completed = argument.Completed{Argument: "Tea warms.", Thinking: "It is cold.", DurationMS: 12, Usage: argument.Usage{Prompt: 3, Completion: 2, Total: 5},
		FinishReason: "stop", Model: "p/m", Cost: 7, Subject: "cli_1"}
	failed   = argument.Failed{Code: "AI_SERVICE_ERROR", Message: "the provider went away", DurationMS: 3, Subject: "cli_1"}
	revised  = argument.Revised{Changed: domain.Doc{"argument": raw(`"Tea heals."`)}, Subject: "cli_1"}
	reviewed = argument.Reviewed{Status: argument.Reviewing, Reviewer: domaintest.Actor, Comment: "hm", Subject: "cli_1"}
)

func given(t *testing.T, more ...domain.Fact) *domaintest.Scenario[argument.State] {
	return domaintest.Given(t, argument.Aggregate, append([]domain.Fact{requested}, more...)...)
}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, argument.FactTypes(), requested, completed, failed, revised, reviewed, argument.Deleted{})
}

func TestWriting(t *testing.T) {
	none := domaintest.Given(t, argument.Aggregate)
	none.When(argument.Request{Fields: fields, Model: "p/m"}).Then(requested)
	none.When(argument.Request{}).ThenError(domain.CodeValidation, "model", "client", "product", "insight_spec")
	anonymous := fields
	anonymous.Client = domain.Doc{"age": raw("40")}
	none.When(argument.Request{Fields: anonymous, Model: "p/m"}).Then(argument.Requested{Fields: anonymous, Model: "p/m", Subject: domaintest.Subject})
	given(t).When(argument.Request{Fields: fields, Model: "p/m"}).ThenError(domain.CodeConflict)

	given(t).When(argument.Complete{Completed: completed}).Then(completed)
	given(t).When(argument.Fail{Code: domain.CodeAIService, Message: "the provider went away", DurationMS: 3}).Then(failed)
	given(t, completed).When(argument.Fail{}).ThenError(domain.CodeConflict)
	given(t, failed).When(argument.Complete{}).ThenError(domain.CodeConflict)
	given(t, argument.Deleted{}).When(argument.Complete{}).ThenError(domain.CodeNotFound)
}

func TestRevise(t *testing.T) {
	given(t, completed).When(argument.Revise{Patch: domain.Doc{"argument": raw(`"Tea heals."`)}}).Then(revised)
	given(t, completed, revised).When(argument.Revise{Patch: domain.Doc{"argument": raw(`"Tea heals."`)}}).ThenNothing()
	given(t, completed).When(argument.Revise{Patch: domain.Doc{"argument_thinking": raw("null")}}).
		Then(argument.Revised{Changed: domain.Doc{"argument_thinking": raw("null")}, Subject: "cli_1"})
	// Under another client's key all is said again.
	outcome := given(t, completed).When(argument.Revise{Patch: domain.Doc{"client": raw(`{"id":"cli_2"}`)}})
	outcome.Then(argument.Revised{Subject: "cli_2", Changed: domain.Doc{"client": raw(`{"id":"cli_2"}`), "action_id": raw(`"act_1"`),
		"argument": raw(`"Tea warms."`), "argument_thinking": raw(`"It is cold."`), "product": raw(`{"name":"Tea"}`), "insight_spec": raw(`{"tone":"warm"}`)}})
	given(t).When(argument.Revise{}).ThenError(domain.CodeConflict) // it is being written
	given(t, completed, argument.Deleted{}).When(argument.Revise{}).ThenError(domain.CodeNotFound)
	given(t, domain.Erased{Type: completed.EventType()}).When(argument.Revise{}).ThenError(domain.CodeGone)
}

// A review goes only where it may, whoever asks.
func TestReview(t *testing.T) {
	to := func(s argument.Status) argument.Revise {
		return argument.Revise{Review: &argument.ReviewPatch{Status: &s}}
	}
	allowed := map[argument.Status]map[argument.Status]bool{}
	for _, from := range argument.Statuses() {
		allowed[from] = map[argument.Status]bool{}
		for _, s := range argument.Transitions(from) {
			allowed[from][s] = true
		}
		for _, status := range argument.Statuses() {
			history := []domain.Fact{completed}
			if from != argument.Pending {
				history = append(history, argument.Reviewed{Status: from, Reviewer: "user_ann", Subject: "cli_1"})
			}
			outcome := given(t, history...).When(to(status))
			switch {
			case status == from:
				outcome.ThenNothing()
			case allowed[from][status]:
				outcome.Then(argument.Reviewed{Status: status, Reviewer: domaintest.Actor, Subject: "cli_1"})
			default:
				outcome.ThenError(domain.CodeConflict)
			}
		}
	}
	if allowed[argument.Success][argument.Pending] || !allowed[argument.Success][argument.Reviewing] || allowed[argument.WaitingReview][argument.Pending] {
		t.Errorf("transitions %v", allowed)
	}
	given(t, completed).When(argument.Revise{Review: &argument.ReviewPatch{Status: new(argument.Reviewing), Comment: new("hm")}}).Then(reviewed)
	given(t, completed, reviewed).When(argument.Revise{Review: &argument.ReviewPatch{Reviewer: new("user_eve"), Comment: new("ok")}}).
		Then(argument.Reviewed{Status: argument.Reviewing, Reviewer: "user_eve", Comment: "ok", Subject: "cli_1"})
	given(t, completed).When(to("odd")).ThenError(domain.CodeValidation, "review.status")
}

func TestErased(t *testing.T) {
	s := domaintest.Fold(argument.Aggregate, "arg_1", domain.Erased{Type: requested.EventType()}, domain.Erased{Type: completed.EventType()})
	if !s.Exists || !s.Erased || s.Open || s.Argument != "" || s.Client != nil {
		t.Errorf("an erased argument holds %+v", s)
	}
}
