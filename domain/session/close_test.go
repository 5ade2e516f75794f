package session_test

import (
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/session"
)

func TestClose(t *testing.T) {
	s := domaintest.Given(t, session.Aggregate, created, added).When(session.Close{}).Then(session.Ended{}).State()
	if s.Status != session.Closed || s.EventCount != 1 {
		t.Errorf("state %+v", s)
	}
	domaintest.Given(t, session.Aggregate, created, session.Ended{}).When(session.Close{}).ThenNothing()
	domaintest.Given(t, session.Aggregate).When(session.Close{}).ThenError(domain.CodeNotFound)
}
