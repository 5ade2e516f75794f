package session_test

import (
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/session"
)

func TestAddEvent(t *testing.T) {
	out := domaintest.Given(t, session.Aggregate, created).
		When(session.AddEvent{Author: "user", Content: added.Content, StateDelta: added.StateDelta, InvocationID: "inv_1"}).
		Then(added)
	s := out.State()
	if s.EventCount != 1 || !s.LastEventAt.Equal(domaintest.At(1)) || s.Last.ID != added.ID || string(s.State["step"]) != "2" || string(s.State["lang"]) != `"en"` {
		t.Errorf("state %+v", s)
	}
}

func TestAddEventRemovesStateByNull(t *testing.T) {
	s := domaintest.Given(t, session.Aggregate, created, added).
		When(session.AddEvent{Author: "triage", Type: session.StateChange, Content: raw(`{}`), StateDelta: domain.Doc{"lang": raw("null")}}).
		State()
	if _, still := s.State["lang"]; still || s.EventCount != 2 {
		t.Errorf("state %+v", s)
	}
}

func TestAddEventOfSessionWithoutUserIsSealedByTheSession(t *testing.T) {
	domaintest.Given(t, session.Aggregate, session.Created{Subject: "ses_1"}).Of("ses_1").
		When(session.AddEvent{Author: "user", Content: raw(`{}`)}).
		Then(session.EventAdded{ID: domaintest.ID("sev", 1), Sequence: 1, Author: "user", Type: session.Message, Content: raw(`{}`), Subject: "ses_1"})
}

func TestAddEventRefused(t *testing.T) {
	ok := session.AddEvent{Author: "user", Content: raw(`{}`)}
	domaintest.Given(t, session.Aggregate).When(ok).ThenError(domain.CodeNotFound)
	domaintest.Given(t, session.Aggregate, created, session.Ended{}).When(ok).ThenError(domain.CodeConflict)
	domaintest.Given(t, session.Aggregate, created, session.Deleted{}).When(ok).ThenError(domain.CodeNotFound)
}

func TestAddEventNamesEveryFault(t *testing.T) {
	long, big := strings.Repeat("x", 300), domain.Doc{"k": raw(`"` + strings.Repeat("x", 300<<10) + `"`)}
	domaintest.Given(t, session.Aggregate, created).
		When(session.AddEvent{Author: long, Type: "noise", Content: raw(`"text"`), StateDelta: big, InvocationID: long}).
		ThenError(domain.CodeValidation, "author", "type", "content", "state_delta", "invocation_id")
	domaintest.Given(t, session.Aggregate, created).When(session.AddEvent{}).
		ThenError(domain.CodeValidation, "author", "content")
}
