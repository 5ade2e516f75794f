package memory_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/memory"
)

var added = memory.Added{
	Provider: memory.Internal,
	Fields: memory.Fields{
		Content: "Bob prefers tea", Type: memory.Semantic, AgentID: "agt_1", UserID: "user_bob", SessionID: "ses_1", AppID: "app_1",
		Metadata: domain.Doc{"topic": raw(`"drinks"`)}, Importance: new(0.5), ExpiresAt: domaintest.Now.Add(time.Hour),
	},
	Subject: "user_bob",
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestGolden(t *testing.T) {
	domaintest.Golden(t, slices.Concat(memory.FactTypes(), memory.Vectors.Facts), embedded, failed, memory.VectorRemoved{}, added,
		memory.Revised{Changed: domain.Doc{"content": raw(`"Bob prefers coffee"`), "importance": raw("null")}, Subject: "user_bob"},
		memory.Forgotten{}, memory.Expired{})
}

func TestErased(t *testing.T) {
	s := domaintest.Fold(memory.Aggregate, "mem_1", added, domain.Erased{Type: memory.Revised{}.EventType()})
	if !s.Exists || !reflect.DeepEqual(s.Fields, memory.Fields{}) {
		t.Errorf("an erased memory must hold nothing: %+v", s)
	}
	s = domaintest.Fold(memory.Aggregate, "mem_1", domain.Erased{Type: added.EventType()})
	if !s.Exists || s.CreatedAt.IsZero() {
		t.Errorf("an erased memory must still be there: %+v", s)
	}
}

// Any command sequence leaves a memory that is valid and equal to what was
// asked for, and facts are only written when something changed.
func TestAnyCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), memory.Aggregate.New("mem_1")
		for range rapid.IntRange(1, 30).Draw(t, "commands") {
			before, events := *s, len(log.Events)
			cmd := anyCommand(t)
			if err := domaintest.Do(log, memory.Aggregate, "mem_1", s, cmd); err != nil {
				if domain.CodeOf(err) == domain.CodeInternal {
					t.Fatalf("refused without a reason a client could read: %v", err)
				}
				continue
			}
			if len(log.Events) > events && reflect.DeepEqual(before, *s) {
				t.Fatalf("%+v wrote %+v, which changed nothing", cmd, log.Events[events:])
			}
			if s.Exists && (s.Content == "" || s.Type == "" || s.Importance != nil && *s.Importance > 1) {
				t.Fatalf("invalid memory %+v", s)
			}
			if revise, ok := cmd.(memory.Revise); ok {
				checkPatch(t, revise.Patch, s.Fields)
			}
		}
		checkErasure(t, log)
	})
}

func checkPatch(t *rapid.T, patch domain.Doc, got memory.Fields) {
	doc, err := domain.DocOf(got)
	if err != nil {
		t.Fatal(err)
	}
	if left := doc.Changed(patch); len(left) > 0 && !(len(left) == 1 && string(left["type"]) == "null") {
		t.Fatalf("after %s the memory is %s", patch, doc)
	}
}

// Once a user's key is gone, nothing that was known under it remains.
func checkErasure(t *rapid.T, log *domaintest.Log) {
	s := memory.Aggregate.New("mem_1")
	for _, e := range log.Erase("user_bob") {
		memory.Aggregate.Apply(s, e)
		if s.UserID == "user_bob" || e.Meta.Subject == "user_bob" && s.Content != "" {
			t.Fatalf("after erasure still known: %+v", s.Fields)
		}
	}
}

func anyCommand(t *rapid.T) domain.Decider[memory.State] {
	switch rapid.SampledFrom([]string{"add", "revise", "revise", "revise", "forget"}).Draw(t, "command") {
	case "add":
		return memory.Add{Fields: memory.Fields{
			Content: rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "content"),
			UserID:  rapid.SampledFrom([]string{"", "user_bob"}).Draw(t, "user"),
		}}
	case "forget":
		return memory.Forget{}
	}
	values := map[string][]string{
		"content": {`"a"`, `"b"`, "null"}, "type": {`"semantic"`, `"working"`, `"odd"`, "null"},
		"user_id": {`"user_bob"`, `"user_eve"`, "null"}, "importance": {"0", "0.5", "2", "null"},
		"metadata": {`{}`, `{"k":1}`, "null"}, "mood": {`"odd"`},
	}
	patch := domain.Doc{}
	for _, field := range rapid.SliceOfN(rapid.SampledFrom([]string{"content", "type", "user_id", "importance", "metadata", "mood"}), 0, 3).Draw(t, "fields") {
		patch[field] = raw(rapid.SampledFrom(values[field]).Draw(t, field))
	}
	if string(patch["metadata"]) == "{}" { // an empty object is kept as none
		patch["metadata"] = raw("null")
	}
	return memory.Revise{Patch: patch}
}
