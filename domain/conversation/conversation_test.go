package conversation_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/conversation"
	"strata/domain/domaintest"
)

// The history most scenarios begin with.
var (
	started = conversation.Started{AppID: "app_1", Model: "strata/echo", UserID: "user_bob", Title: "Tea", SessionUID: "ses_1", Subject: "user_bob"}
	asked   = conversation.TurnAsked{RunID: "run_1", MessageID: "msg_1", Sequence: 1, Content: "Is tea hot?",
		Variables: domain.Doc{"lang": raw(`"en"`)}, Title: "Is tea hot?", Subject: "user_bob"}
	answered = conversation.TurnAnswered{RunID: "run_1", MessageID: "msg_2", Sequence: 2, Content: "Yes.",
		TokenUsage: conversation.TokenUsage{Prompt: 4, Completion: 2, Total: 6}, FinishReason: "stop", Model: "strata/echo", Cost: 12, Subject: "user_bob"}
	failed = conversation.TurnFailed{RunID: "run_1", Code: "AI_SERVICE_ERROR", Message: "the provider went away",
		PartialContent: "Ye", MessageID: "msg_2", Sequence: 2, Subject: "user_bob"}
	renamed = conversation.Renamed{Title: "On tea", Subject: "user_bob"}
	given   = conversation.MessageAdded{MessageID: "msg_3", RunID: "run_2", Sequence: 3, Role: conversation.Assistant, Content: "Look it up",
		ToolCalls: []domain.Doc{{"id": raw(`"call_1"`)}}, Speaker: conversation.Speaker{Name: "bot", ToolCallID: "call_0"}, Subject: "user_bob"}
	configured = conversation.Configured{Settings: conversation.Settings{Model: "p/m", MaxTokens: 9, Temperature: new(0.5),
		GuardEnabled: new(true), RouterEnabled: new(false)}}
	feedback = conversation.FeedbackGiven{ID: domaintest.ID("fb", 1), MessageID: "msg_2", Rating: conversation.Positive, Comment: "short", Subject: "user_bob"}
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestGolden(t *testing.T) {
	domaintest.Golden(t, conversation.FactTypes(), started, asked, answered, failed, renamed, feedback, given, conversation.MessagesReplaced{}, configured, conversation.Deleted{})
}

func TestErased(t *testing.T) {
	var facts []domain.Fact
	for _, f := range []domain.Fact{started, asked, answered, renamed, feedback} {
		facts = append(facts, domain.Erased{Type: f.EventType()})
	}
	s := domaintest.Fold(conversation.Aggregate, "chat_1", facts...)
	if !s.Exists || s.MessageCount != 2 || s.Title != "" || len(s.Messages)+len(s.Open) != 0 {
		t.Errorf("an erased chat must count on and hold nothing: %+v", s)
	}
}

func TestWindow(t *testing.T) {
	facts := []domain.Fact{started}
	for i := range 30 {
		run, seq := fmt.Sprintf("run_%d", i), int64(2*i+1)
		facts = append(facts,
			conversation.TurnAsked{RunID: run, MessageID: run + "q", Sequence: seq, Content: "q"},
			conversation.TurnAnswered{RunID: run, MessageID: run + "a", Sequence: seq + 1, Content: "a"})
	}
	s := domaintest.Fold(conversation.Aggregate, "chat_1", facts...)
	if len(s.Messages) != conversation.Window || s.MessageCount != 60 || s.Messages[0].Sequence != 21 {
		t.Errorf("%d messages from %d, %d in all", len(s.Messages), s.Messages[0].Sequence, s.MessageCount)
	}
	facts = append(facts, conversation.TurnAsked{RunID: "big", MessageID: "big", Sequence: 61, Content: strings.Repeat("x", 2<<20)})
	if s := domaintest.Fold(conversation.Aggregate, "chat_1", facts...); len(s.Messages) != 1 || s.Messages[0].ID != "big" {
		t.Errorf("a large message must be kept alone, got %d messages", len(s.Messages))
	}
}

func TestPromptPairsQuestionsWithTheirAnswers(t *testing.T) {
	ask := func(run string, seq int64) domain.Fact {
		return conversation.TurnAsked{RunID: run, MessageID: "q" + run, Sequence: seq, Content: "?"}
	}
	answer := func(run string, seq int64) domain.Fact {
		return conversation.TurnAnswered{RunID: run, MessageID: "a" + run, Sequence: seq, Content: "!"}
	}
	s := domaintest.Fold(conversation.Aggregate, "chat_1", started,
		ask("1", 1), ask("2", 2), answer("2", 3), answer("1", 4),
		ask("3", 5), conversation.TurnFailed{RunID: "3", PartialContent: "…", MessageID: "a3", Sequence: 6},
		ask("4", 7), ask("5", 8))
	var ids []string
	for _, m := range s.Prompt("5") {
		ids = append(ids, m.ID)
	}
	if want := []string{"q1", "a1", "q2", "a2", "q5"}; !slices.Equal(ids, want) {
		t.Errorf("prompt %v, want %v", ids, want)
	}
	if len(s.Open) != 2 || !s.Open[0].AskedAt.Equal(domaintest.At(7)) {
		t.Errorf("open turns %+v", s.Open)
	}
}

// Whatever is asked and answered, in whatever order: message numbers are dense,
// each run ends at most once, and the sums are the sums.
func TestAnyCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), conversation.Aggregate.New("chat_1")
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			err := domaintest.Do(log, conversation.Aggregate, "chat_1", s, anyCommand(t))
			if err != nil && domain.CodeOf(err) == domain.CodeInternal {
				t.Fatalf("refused without a reason a client could read: %v", err)
			}
		}
		checkHistory(t, log, s)
	})
}

func checkHistory(t *rapid.T, log *domaintest.Log, s *conversation.State) {
	var seq, tokens int64
	open := map[string]bool{}
	number := func(n int64) {
		if seq++; n != seq {
			t.Fatalf("message %d has sequence %d", seq, n)
		}
	}
	end := func(run string) {
		if !open[run] {
			t.Fatalf("run %s ended without being open", run)
		}
		delete(open, run)
	}
	for _, e := range log.Events {
		switch f := e.Fact.(type) {
		case conversation.MessageAdded:
			number(f.Sequence)
		case conversation.TurnAsked:
			number(f.Sequence)
			open[f.RunID] = true
		case conversation.TurnAnswered:
			number(f.Sequence)
			end(f.RunID)
			tokens += f.TokenUsage.Total
		case conversation.TurnFailed:
			end(f.RunID)
			if f.MessageID != "" {
				number(f.Sequence)
			}
		}
	}
	if s.MessageCount != seq || len(s.Open) != len(open) || s.TokenUsage.Total != tokens || len(s.Messages) > conversation.Window {
		t.Fatalf("state %+v after %d messages, %d open runs, %d tokens", s, seq, len(open), tokens)
	}
}

func anyCommand(t *rapid.T) domain.Decider[conversation.State] {
	run := fmt.Sprintf("run_%d", rapid.IntRange(1, 8).Draw(t, "run"))
	content := rapid.SampledFrom([]string{"", "hello", "what is this?"}).Draw(t, "content")
	switch rapid.SampledFrom([]string{"start", "ask", "ask", "ask", "answer", "answer", "fail", "rename", "rate", "give", "replace", "delete"}).Draw(t, "command") {
	case "start":
		return conversation.Start{UserID: "user_bob"}
	case "ask":
		return conversation.Ask{RunID: run, Content: content, Start: &conversation.Start{}}
	case "answer":
		return conversation.Answer{RunID: run, Content: content, TokenUsage: conversation.TokenUsage{Total: int64(len(content))}}
	case "fail":
		return conversation.FailTurn{RunID: run, Code: domain.CodeAIService, PartialContent: content}
	case "rename":
		return conversation.Rename{Title: content}
	case "give":
		return conversation.Ask{RunID: run, Content: "and?", Start: &conversation.Start{}, Given: []conversation.Given{{Role: conversation.System, Content: content}}}
	case "replace":
		return conversation.Revise{Messages: []conversation.Given{{Role: conversation.User, Content: "b"}, {Role: conversation.Assistant, Content: "c"}},
			Settings: domain.Doc{"model": raw(`"p/m"`)}}
	case "rate":
		return conversation.GiveFeedback{Rating: conversation.Negative}
	}
	if rapid.IntRange(0, 4).Draw(t, "really") > 0 { // else most histories would be over at once
		return conversation.Rename{Title: "kept"}
	}
	return conversation.Delete{}
}

func BenchmarkTurn(b *testing.B) {
	s := domaintest.Fold(conversation.Aggregate, "chat_1", started, asked, answered)
	log := domaintest.NewLog()
	b.ReportAllocs()
	for b.Loop() {
		log.Events = log.Events[:0]
		if err := domaintest.Do(log, conversation.Aggregate, "chat_1", s, conversation.Ask{Content: "Is tea hot?"}); err != nil {
			b.Fatal(err)
		}
		if err := domaintest.Do(log, conversation.Aggregate, "chat_1", s, conversation.Answer{RunID: s.Open[0].RunID, Content: "Yes."}); err != nil {
			b.Fatal(err)
		}
	}
}
