package conversation_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
)

func TestGiveFeedback(t *testing.T) {
	for name, message := range map[string]string{"named": "msg_2", "last answer": ""} {
		t.Run(name, func(t *testing.T) {
			domaintest.Given(t, conversation.Aggregate, started, asked, answered).
				When(conversation.GiveFeedback{MessageID: message, Rating: conversation.Positive, Comment: "short"}).
				Then(feedback)
		})
	}
}

func TestGiveFeedbackRefused(t *testing.T) {
	good := conversation.GiveFeedback{Rating: conversation.Positive}
	domaintest.Given(t, conversation.Aggregate).When(good).ThenError(domain.CodeNotFound)
	domaintest.Given(t, conversation.Aggregate, started, asked).When(good).ThenError(domain.CodeConflict)
	domaintest.Given(t, conversation.Aggregate, started, asked, answered).
		When(conversation.GiveFeedback{MessageID: "msg_1", Rating: conversation.Negative}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, conversation.Aggregate, started, asked, answered).
		When(conversation.GiveFeedback{Rating: "meh", Comment: strings.Repeat("x", 5000)}).
		ThenError(domain.CodeValidation, "rating", "comment")
}
