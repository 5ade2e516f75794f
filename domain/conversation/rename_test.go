package conversation_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
)

func TestRename(t *testing.T) {
	domaintest.Given(t, conversation.Aggregate, started).When(conversation.Rename{Title: "On tea"}).Then(renamed)
	domaintest.Given(t, conversation.Aggregate, started, renamed).When(conversation.Rename{Title: "On tea"}).ThenNothing()
	domaintest.Given(t, conversation.Aggregate, started).When(conversation.Rename{}).ThenError(domain.CodeValidation, "title")
	domaintest.Given(t, conversation.Aggregate, started).When(conversation.Rename{Title: strings.Repeat("x", 201)}).ThenError(domain.CodeValidation, "title")
	domaintest.Given(t, conversation.Aggregate).When(conversation.Rename{Title: "On tea"}).ThenError(domain.CodeNotFound)
}
