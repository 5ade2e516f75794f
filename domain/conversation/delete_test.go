package conversation_test

import (
	"testing"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
)

func TestDelete(t *testing.T) {
	domaintest.Given(t, conversation.Aggregate, started, asked).When(conversation.Delete{}).Then(conversation.Deleted{})
	domaintest.Given(t, conversation.Aggregate, started, conversation.Deleted{}).When(conversation.Delete{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, conversation.Aggregate).When(conversation.Delete{}).ThenError(domain.CodeNotFound)
}
