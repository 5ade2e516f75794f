package session_test

import (
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/session"
)

func TestDelete(t *testing.T) {
	domaintest.Given(t, session.Aggregate, created, session.Ended{}).When(session.Delete{}).Then(session.Deleted{})
	domaintest.Given(t, session.Aggregate, created, session.Deleted{}).When(session.Delete{}).ThenError(domain.CodeNotFound)
	domaintest.Given(t, session.Aggregate).When(session.Delete{}).ThenError(domain.CodeNotFound)
}
