package conversation_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
)

func TestStart(t *testing.T) {
	domaintest.Given(t, conversation.Aggregate).
		When(conversation.Start{AppID: "app_1", Model: "strata/echo", UserID: "user_bob", Title: "Tea", SessionUID: "ses_1"}).
		Then(started)
	domaintest.Given(t, conversation.Aggregate).Of("chat_1").When(conversation.Start{}).Then(conversation.Started{Subject: "chat_1"})
	domaintest.Given(t, conversation.Aggregate, started).When(conversation.Start{}).ThenError(domain.CodeConflict)
}

func TestStartNamesEveryFault(t *testing.T) {
	long := strings.Repeat("x", 300)
	domaintest.Given(t, conversation.Aggregate).
		When(conversation.Start{AppID: long, Model: long, UserID: long, SessionUID: long, Title: long}).
		ThenError(domain.CodeValidation, "app_id", "model", "user_id", "session_uid", "title")
}
