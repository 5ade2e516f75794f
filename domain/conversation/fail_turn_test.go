package conversation_test

import (
	"testing"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
)

func TestFailTurn(t *testing.T) {
	fail := conversation.FailTurn{RunID: "run_1", Code: domain.CodeAIService, Message: "the provider went away", PartialContent: "Ye", MessageID: "msg_2"}
	s := domaintest.Given(t, conversation.Aggregate, started, asked).When(fail).Then(failed).State()
	if len(s.Open) != 0 || s.MessageCount != 2 || !s.Messages[0].Failed || !s.Messages[1].Failed {
		t.Errorf("state %+v", s)
	}
}

func TestFailTurnThatProducedNothing(t *testing.T) {
	s := domaintest.Given(t, conversation.Aggregate, started, asked).
		When(conversation.FailTurn{RunID: "run_1", Code: domain.CodeTimeout, Message: "too slow"}).
		Then(conversation.TurnFailed{RunID: "run_1", Code: "TIMEOUT", Message: "too slow", Subject: "user_bob"}).State()
	if s.MessageCount != 1 || len(s.Answers) != 0 {
		t.Errorf("state %+v", s)
	}
}

func TestFailTurnRefused(t *testing.T) {
	fail := conversation.FailTurn{RunID: "run_1", Code: domain.CodeTimeout}
	domaintest.Given(t, conversation.Aggregate).When(fail).ThenError(domain.CodeNotFound)
	domaintest.Given(t, conversation.Aggregate, started).When(fail).ThenError(domain.CodeConflict)
	domaintest.Given(t, conversation.Aggregate, started, asked, answered).When(fail).ThenError(domain.CodeConflict)
}
