package conversation

import (
	"fmt"
	"slices"
	"strings"

	"strata/domain"
)

// maxGiven is how many messages a client may give at once.
const maxGiven = 256

// Given is a message that a client gives as part of the conversation.
type Given struct {
	Role    Role
	Content string
	Speaker
	ToolCalls []domain.Doc
}

func (g Given) fact(env domain.Env, sequence int64, runID, subject string) MessageAdded {
	return MessageAdded{MessageID: env.NewID("msg"), RunID: runID, Sequence: sequence, Role: g.Role, Content: g.Content,
		Speaker: g.Speaker, ToolCalls: g.ToolCalls, Subject: subject}
}

// checkGiven names the faults of messages by their place in a field.
func checkGiven(f *domain.Faults, field string, given []Given) {
	f.Add(len(given) > maxGiven, field, "must be at most %d messages", maxGiven)
	for i, g := range given {
		name := fmt.Sprintf("%s[%d]", field, i)
		g.check(f, name)
	}
}

func (g *Given) check(f *domain.Faults, name string) {
	f.Add(!slices.Contains([]Role{System, User, Assistant, Tool}, g.Role), name+".role", "must be system, user, assistant or tool")
	f.Add(strings.TrimSpace(g.Content) == "" && len(g.ToolCalls) == 0, name+".content", "is required")
	f.Add(len(g.Content) > maxContent, name+".content", "must be at most %d bytes long", maxContent)
	f.Add(len(g.ToolCalls) > 0 && g.Role != Assistant, name+".tool_calls", "is the assistant's alone")
	g.Speaker.check(f, name)
	size := 0
	for _, call := range g.ToolCalls {
		for k, v := range call {
			size += len(k) + len(v) + 4
		}
	}
	f.Add(size > maxContent, name+".tool_calls", "must be at most %d bytes of JSON", maxContent)
}

func (s *Speaker) check(f *domain.Faults, name string) {
	f.Add(len(s.Name) > maxID, name+".name", "must be at most %d bytes long", maxID)
	f.Add(len(s.ToolCallID) > maxID, name+".tool_call_id", "must be at most %d bytes long", maxID)
}

// unknown leaves out of given messages what the conversation holds already, if
// they repeat all of it from its beginning. Of a conversation that has outgrown
// its window that cannot be told.
func (s *State) unknown(given []Given) []Given {
	if s.MessageCount == s.Replaced || int64(len(s.Messages)) != s.MessageCount-s.Replaced || len(s.Open) > 0 {
		return given
	}
	known := s.Prompt("")
	if len(known) == 0 || len(given) < len(known) {
		return given
	}
	for i, m := range known {
		if given[i].Role != m.Role || given[i].Content != m.Content {
			return given
		}
	}
	return given[len(known):]
}
