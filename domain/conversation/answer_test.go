package conversation_test

import (
	"testing"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
)

func TestAnswer(t *testing.T) {
	answer := conversation.Answer{RunID: "run_1", MessageID: "msg_2", Content: "Yes.", TokenUsage: answered.TokenUsage,
		FinishReason: "stop", Model: "strata/echo", Cost: 12}
	s := domaintest.Given(t, conversation.Aggregate, started, asked).When(answer).Then(answered).State()
	if len(s.Open) != 0 || s.MessageCount != 2 || s.TokenUsage.Total != 6 || s.Cost != 12 {
		t.Errorf("state %+v", s)
	}
}

func TestAnswerRefused(t *testing.T) {
	answer := conversation.Answer{RunID: "run_1", Content: "Yes."}
	domaintest.Given(t, conversation.Aggregate).When(answer).ThenError(domain.CodeNotFound)
	domaintest.Given(t, conversation.Aggregate, started, asked, conversation.Deleted{}).When(answer).ThenError(domain.CodeNotFound)
	domaintest.Given(t, conversation.Aggregate, started).When(answer).ThenError(domain.CodeConflict)
	domaintest.Given(t, conversation.Aggregate, started, asked, answered).When(answer).ThenError(domain.CodeConflict)
	domaintest.Given(t, conversation.Aggregate, started, asked, failed).When(answer).ThenError(domain.CodeConflict)
	domaintest.Given(t, conversation.Aggregate, started, asked).
		When(conversation.Answer{RunID: "run_1", TokenUsage: conversation.TokenUsage{Total: -1}, Cost: -1}).
		ThenError(domain.CodeValidation, "token_usage", "cost")
}
