package memories_test

import (
	"fmt"
	"testing"

	"strata/domain"
	"strata/domain/memory"
	"strata/projections/memories"
	"strata/projections/projectionstest"
)

// vector makes the fact that a text means something.
func vector(text string, numbers ...float32) memory.Embedded {
	return memory.Embedded{Of: memory.Fingerprint(text), Model: "m", Numbers: memory.Pack(numbers)}
}

// embed puts a fact on the stream of a memory's vector.
func (w *world) embed(workspace, id string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.TB, w.codec, memory.Vectors.Stream(id), projectionstest.Meta(workspace, w.second), facts...)
}

func like(numbers ...float32) memories.Meaning {
	return memories.Meaning{Model: "m", Vector: memory.Pack(numbers), Least: 0.5}
}

func (w *world) found(f memories.Filter, text string, m memories.Meaning) string {
	w.Helper()
	w.caughtUp()
	f.Workspace = "ws_1"
	found, _, err := w.Search(w.Context(), f, text, m, 0, 0)
	if err != nil {
		w.Fatal(err)
	}
	out := ""
	for _, m := range found {
		out += fmt.Sprintf("%s %.2f ", m.ID, m.Score)
	}
	return out
}

func (w *world) want(got, want string) {
	w.Helper()
	if got != want {
		w.Errorf("found %q, want %q", got, want)
	}
}

func TestSearchByMeaning(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "mem_near", added("prefers hot drinks", by("user_bob")))
	w.given("ws_1", "mem_far", added("drives a car", by("user_bob")))
	w.given("ws_1", "mem_words", added("tea"))
	w.given("ws_1", "mem_both", added("tea"))
	w.given("ws_2", "mem_others", added("hot drinks of others"))
	w.given("ws_1", "mem_model", added("hot drinks elsewhere"))
	w.given("ws_1", "mem_expired", added("hot drinks of yesterday", func(f *memory.Fields) { f.ExpiresAt = now }))
	w.embed("ws_1", "mem_near", vector("prefers hot drinks", 0.8, 0.6))
	w.embed("ws_1", "mem_far", vector("drives a car", 0.4, 0.9))
	w.embed("ws_1", "mem_both", vector("tea", 0.8, -0.6))
	w.embed("ws_2", "mem_others", vector("hot drinks of others", 1, 0))
	w.embed("ws_1", "mem_expired", vector("hot drinks of yesterday", 1, 0))
	other := vector("hot drinks elsewhere", 1, 0)
	other.Model = "another"
	w.embed("ws_1", "mem_model", other)
	w.want(w.found(memories.Filter{}, "unheard", like(1, 0)), "mem_both 0.80 mem_near 0.80 ")
	w.want(w.found(memories.Filter{}, "unheard", memories.Meaning{}), "")
	w.want(w.found(memories.Filter{UserID: "user_bob"}, "unheard", like(1, 0)), "mem_near 0.80 ")
	w.want(w.found(memories.Filter{}, "unheard tea", like(1, 0)), "mem_both 0.87 mem_near 0.80 mem_words 0.33 ")
}

// A vector counts as long as its memory says what it is of, and goes with it.
func TestVectorsFollowTheirMemory(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "mem_1", added("tea"))
	w.embed("ws_1", "mem_1", vector("tea", 1, 0))
	w.want(w.found(memories.Filter{}, "unheard", like(1, 0)), "mem_1 1.00 ")
	w.given("ws_1", "mem_1", memory.Revised{Changed: domain.Doc{"content": raw(`"cars"`)}})
	w.want(w.found(memories.Filter{}, "unheard", like(1, 0)), "")
	w.embed("ws_1", "mem_1", vector("cars", 0, 1))
	w.want(w.found(memories.Filter{}, "unheard", like(0, 1)), "mem_1 1.00 ")
	w.embed("ws_1", "mem_1", memory.VectorRemoved{})
	w.want(w.found(memories.Filter{}, "unheard", like(0, 1)), "")
	w.given("ws_1", "mem_1", memory.Expired{})
	w.want(w.found(memories.Filter{}, "cars", like(0, 1)), "")
	projectionstest.CheckRebuild(t, w.codec, memories.Model{}, w.log)
}

// What is nearest must belong to the same, and have been there first.
func TestNearest(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "mem_1", added("tea", by("user_bob")))
	w.given("ws_1", "mem_2", added("green tea", by("user_bob")))
	w.given("ws_1", "mem_3", added("tea", by("user_eve")))
	w.given("ws_1", "mem_4", added("tea"))
	duplicate := vector("green tea", 1, 0)
	duplicate.DuplicateOf = "mem_1"
	w.embed("ws_1", "mem_1", vector("tea", 0.8, 0.6))
	w.embed("ws_1", "mem_2", duplicate)
	w.embed("ws_1", "mem_3", vector("tea", 1, 0))
	w.caughtUp()
	near := func(id, user string) string {
		t.Helper()
		id, likeness, err := w.Nearest(t.Context(), "ws_1", &memory.State{ID: id, Fields: memory.Fields{UserID: user}}, "m", memory.Pack([]float32{1, 0}))
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s %.2f", id, likeness)
	}
	w.want(near("mem_9", "user_bob"), "mem_1 0.80")
	w.want(near("mem_1", "user_bob"), " 0.00")
	w.want(near("mem_9", ""), " 0.00")
	if m, err := w.Get(t.Context(), "ws_1", "mem_2"); err != nil || m.DuplicateOf != "mem_1" {
		t.Errorf("%+v, %v", m, err)
	}
	w.given("ws_1", "mem_1", memory.Forgotten{})
	w.caughtUp()
	if m, err := w.Get(t.Context(), "ws_1", "mem_2"); err != nil || m.DuplicateOf != "" {
		t.Errorf("a duplicate of nothing: %+v, %v", m, err)
	}
}

// A failure is told of as long as the text is what failed, and is drawn to be tried again.
func TestFailing(t *testing.T) {
	w := newWorld(t)
	failed := func(text string) memory.EmbeddingFailed {
		return memory.EmbeddingFailed{Of: memory.Fingerprint(text), Model: "m", Code: domain.CodeQuotaExceeded, Reason: "spent"}
	}
	for _, m := range []struct{ workspace, id string }{{"ws_1", "mem_1"}, {"ws_1", "mem_2"}, {"ws_1", "mem_3"}, {"ws_2", "mem_4"}, {"ws_1", "mem_5"}} {
		w.given(m.workspace, m.id, added("tea"))
		w.embed(m.workspace, m.id, failed("tea"))
	}
	w.given("ws_1", "mem_5", memory.Forgotten{})
	w.caughtUp()
	drawn := func(perWorkspace int, want string) {
		t.Helper()
		all, err := w.Failing(t.Context(), perWorkspace)
		if err != nil {
			t.Fatal(err)
		}
		of := map[string]int{}
		for _, m := range all {
			of[m.Workspace]++
		}
		w.want(fmt.Sprint(of), want)
	}
	drawn(9, "map[ws_1:3 ws_2:1]")
	drawn(2, "map[ws_1:2 ws_2:1]")
	if m, err := w.Get(t.Context(), "ws_1", "mem_1"); err != nil || m.FailureCode != domain.CodeQuotaExceeded || m.Failure != "spent" || m.Model != "" {
		t.Errorf("%+v, %v", m, err)
	}
	w.embed("ws_1", "mem_1", vector("tea", 1, 0))
	w.given("ws_1", "mem_2", memory.Revised{Changed: domain.Doc{"content": raw(`"cars"`)}})
	w.embed("ws_1", "mem_3", domain.Erased{Type: failed("tea").EventType()})
	w.caughtUp()
	drawn(9, "map[ws_2:1]")
	if m, err := w.Get(t.Context(), "ws_1", "mem_1"); err != nil || m.FailureCode != "" || m.Model != "m" {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err := w.Get(t.Context(), "ws_1", "mem_2"); err != nil || m.FailureCode != "" {
		t.Errorf("%+v, %v", m, err)
	}
	projectionstest.CheckRebuild(t, w.codec, memories.Model{}, w.log)
}
