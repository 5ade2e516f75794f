package conversation_test

import (
	"fmt"
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
)

func TestAsk(t *testing.T) {
	untitled := started
	untitled.Title = ""
	s := domaintest.Given(t, conversation.Aggregate, untitled).
		When(conversation.Ask{RunID: "run_1", MessageID: "msg_1", Content: "Is tea hot?", Variables: asked.Variables}).
		Then(asked).State()
	if s.Title != "Is tea hot?" || s.MessageCount != 1 {
		t.Errorf("state %+v", s)
	}
}

func TestAskDrawsIdentifiersAndKeepsATitle(t *testing.T) {
	domaintest.Given(t, conversation.Aggregate, started, asked, answered).
		When(conversation.Ask{Content: "Why?"}).
		Then(conversation.TurnAsked{RunID: domaintest.ID("run", 1), MessageID: domaintest.ID("msg", 2), Sequence: 3, Content: "Why?", Subject: "user_bob"})
}

func TestAskStartsTheConversation(t *testing.T) {
	untitled := started
	untitled.Title = ""
	ask := conversation.Ask{RunID: "run_1", MessageID: "msg_1", Content: "Is tea hot?", Variables: asked.Variables,
		Start: &conversation.Start{AppID: "app_1", Model: "strata/echo", UserID: "user_bob", SessionUID: "ses_1"}}
	domaintest.Given(t, conversation.Aggregate).When(ask).Then(untitled, asked)

	second := asked
	second.RunID, second.MessageID, second.Sequence, second.Title = "run_2", "msg_3", 3, ""
	ask.RunID, ask.MessageID = "run_2", "msg_3"
	domaintest.Given(t, conversation.Aggregate, started, asked, answered).When(ask).Then(second)
	domaintest.Given(t, conversation.Aggregate, started, conversation.Deleted{}).When(ask).ThenError(domain.CodeNotFound)
}

// A second question while the first is open is allowed: order is by number.
func TestAskWhileOneIsOpen(t *testing.T) {
	s := domaintest.Given(t, conversation.Aggregate, started, asked).When(conversation.Ask{RunID: "run_2", Content: "And coffee?"}).State()
	if len(s.Open) != 2 || s.Messages[1].Sequence != 2 {
		t.Errorf("state %+v", s)
	}
}

func TestAskRefused(t *testing.T) {
	ok := conversation.Ask{Content: "Is tea hot?"}
	domaintest.Given(t, conversation.Aggregate).When(ok).ThenError(domain.CodeNotFound)
	domaintest.Given(t, conversation.Aggregate, started, conversation.Deleted{}).When(ok).ThenError(domain.CodeNotFound)
	for name, again := range map[string]conversation.Ask{
		"open run":     {RunID: "run_1", Content: "x"},
		"used message": {MessageID: "msg_1", Content: "x"},
	} {
		t.Run(name, func(t *testing.T) {
			domaintest.Given(t, conversation.Aggregate, started, asked).When(again).ThenError(domain.CodeConflict)
		})
	}
	domaintest.Given(t, conversation.Aggregate, started, asked, answered).
		When(conversation.Ask{RunID: "run_1", Content: "x"}).ThenError(domain.CodeConflict)
	history := []domain.Fact{started}
	for i := range 64 {
		history = append(history, conversation.TurnAsked{RunID: fmt.Sprint("run_", i), MessageID: fmt.Sprint("msg_", i), Sequence: int64(i + 1), Content: "?"})
	}
	domaintest.Given(t, conversation.Aggregate, history...).When(ok).ThenError(domain.CodeConflict)
}

func TestAskNamesEveryFault(t *testing.T) {
	long := strings.Repeat("x", 300<<10)
	domaintest.Given(t, conversation.Aggregate).
		When(conversation.Ask{Content: " \n", RunID: long, MessageID: long, Variables: domain.Doc{"k": raw(`"` + long + `"`)}, Start: &conversation.Start{Title: long}}).
		ThenError(domain.CodeValidation, "message", "run_id", "message_id", "variables", "title")
	domaintest.Given(t, conversation.Aggregate, started).When(conversation.Ask{Content: long}).ThenError(domain.CodeValidation, "message")
}
