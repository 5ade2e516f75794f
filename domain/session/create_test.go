package session_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/session"
)

func TestCreate(t *testing.T) {
	domaintest.Given(t, session.Aggregate).
		When(session.Create{AppName: "helpdesk", AgentName: "triage", UserID: "user_bob", State: created.State, Metadata: created.Metadata}).
		Then(created)
}

func TestCreateForNobody(t *testing.T) {
	out := domaintest.Given(t, session.Aggregate).Of("ses_1").
		When(session.Create{State: domain.Doc{"gone": raw("null")}}).
		Then(session.Created{State: domain.Doc{}, Subject: "ses_1"})
	if s := out.State(); s.Status != session.Active || !s.CreatedAt.Equal(domaintest.At(0)) {
		t.Errorf("state %+v", s)
	}
}

func TestCreateTwice(t *testing.T) {
	domaintest.Given(t, session.Aggregate, created).When(session.Create{}).ThenError(domain.CodeConflict)
	domaintest.Given(t, session.Aggregate, created, session.Deleted{}).When(session.Create{}).ThenError(domain.CodeConflict)
}

func TestCreateNamesEveryFault(t *testing.T) {
	long := strings.Repeat("x", 300)
	big := domain.Doc{"k": raw(`"` + strings.Repeat("x", 300<<10) + `"`)}
	domaintest.Given(t, session.Aggregate).
		When(session.Create{UID: long, AppName: long, AgentName: long, UserID: long, State: big, Metadata: big}).
		ThenError(domain.CodeValidation, "uid", "app_name", "agent_name", "user_id", "state", "metadata")
}

func TestCreateIdentifier(t *testing.T) {
	for _, uid := range []string{"0", "a-b_c:d", "018f3c2e-aaaa-7bbb-8ccc-0123456789ab", strings.Repeat("x", 128)} {
		if err := (session.Create{UID: uid}).Check(); err != nil {
			t.Errorf("%q: %v", uid, err)
		}
	}
	for _, uid := range []string{"-a", "a.b", "a b", "a/b", "ä", "ses_mine", strings.Repeat("x", 129)} {
		if err := (session.Create{UID: uid}).Check(); domain.CodeOf(err) != domain.CodeValidation {
			t.Errorf("%q was accepted (%v)", uid, err)
		}
	}
}
