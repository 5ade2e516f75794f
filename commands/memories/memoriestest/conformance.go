// Package memoriestest holds what every provider of memories must do.
package memoriestest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"strata/commands/memories"
	"strata/domain"
	"strata/domain/memory"
)

// World is a provider without memories, and what the suite needs beside it.
type World struct {
	memories.Provider
	By     memory.By
	Now    func() time.Time    // the provider's clock
	Pass   func(time.Duration) // makes time pass on it
	Settle func(t testing.TB)  // returns when searches and lists know what was written
}

// Run runs the suite; open makes a new world each time.
func Run(t *testing.T, open func(t *testing.T) *World) {
	for name, test := range map[string]func(*suite){
		"a memory comes back as it was added": (*suite).roundTrip,
		"faults are named":                    (*suite).faults,
		"what is not there is not found":      (*suite).missing,
		"an update lays fields over it":       (*suite).update,
		"what was deleted is gone":            (*suite).delete,
		"lists keep to their scope":           (*suite).list,
		"lists have pages":                    (*suite).pages,
		"searches find what was said":         (*suite).search,
		"what has expired is not there":       (*suite).expiry,
	} {
		t.Run(name, func(t *testing.T) { test(&suite{T: t, w: open(t)}) })
	}
}

type suite struct {
	*testing.T
	w *World
}

func (s *suite) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *suite) wantCode(err error, code domain.Code) {
	s.Helper()
	if err == nil || domain.CodeOf(err) != code {
		s.Errorf("error %v, want %s", err, code)
	}
}

func (s *suite) add(f memory.Fields) memory.Found {
	s.Helper()
	m, err := s.w.Add(s.Context(), s.w.By, f)
	s.must(err)
	s.w.Settle(s)
	return m
}

func of(user, content string) memory.Fields { return memory.Fields{UserID: user, Content: content} }

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// same compares what a client sees of fields.
func (s *suite) same(got, want memory.Fields) {
	s.Helper()
	if want.Type == "" {
		want.Type = memory.Semantic
	}
	if a, b := string(raw(got)), string(raw(want)); a != b {
		s.Errorf("fields %s, want %s", a, b)
	}
}

func (s *suite) roundTrip() {
	f := memory.Fields{Content: "Bob prefers tea", Type: memory.Episodic, UserID: "bob", AgentID: "agt_1", SessionID: "ses_1", AppID: "app_1",
		Metadata: domain.Doc{"topic": raw("drinks"), "n": raw(3)}, Importance: new(0.25), ExpiresAt: s.w.Now().Add(36 * time.Hour).UTC().Truncate(time.Millisecond)}
	made := s.add(f)
	if made.ID == "" || made.Provider == "" || made.CreatedAt.IsZero() {
		s.Errorf("made %+v", made)
	}
	s.same(made.Fields, f)
	got, err := s.w.Get(s.Context(), s.w.By, made.ID)
	s.must(err)
	s.same(got.Fields, f)
	if got.ID != made.ID || got.Provider != made.Provider || got.CreatedAt.IsZero() || got.UpdatedAt.IsZero() {
		s.Errorf("got %+v", got)
	}
}

func (s *suite) faults() {
	for _, c := range []struct {
		field string
		f     memory.Fields
	}{
		{"content", of("bob", "")},
		{"importance", memory.Fields{UserID: "bob", Content: "x", Importance: new(2.0)}},
		{"expires_at", memory.Fields{UserID: "bob", Content: "x", ExpiresAt: s.w.Now().Add(-time.Hour)}},
		{"type", memory.Fields{UserID: "bob", Content: "x", Type: "odd"}},
	} {
		_, err := s.w.Add(s.Context(), s.w.By, c.f)
		s.wantCode(err, domain.CodeValidation)
		if e, ok := err.(*domain.Error); !ok || len(e.Fields) != 1 || e.Fields[0].Field != c.field { //nolint:errorlint // it is the answer itself
			s.Errorf("%v does not name %s", err, c.field)
		}
	}
	m := s.add(of("bob", "tea"))
	_, err := s.w.Update(s.Context(), s.w.By, m.ID, domain.Doc{"nobody": raw(1)})
	s.wantCode(err, domain.CodeValidation)
}

func (s *suite) missing() {
	s.add(of("bob", "tea"))
	for _, id := range []string{"nobody", "..", "../../v1/ping", "a/b?c#d", "%2e"} {
		_, err := s.w.Get(s.Context(), s.w.By, id)
		s.wantCode(err, domain.CodeNotFound)
		_, err = s.w.Update(s.Context(), s.w.By, id, domain.Doc{"content": raw("x")})
		s.wantCode(err, domain.CodeNotFound)
		s.wantCode(s.w.Delete(s.Context(), s.w.By, id), domain.CodeNotFound)
	}
}

func (s *suite) update() {
	f := of("bob", "Bob prefers tea")
	f.Metadata, f.Importance = domain.Doc{"topic": raw("drinks"), "n": raw(1)}, new(0.5)
	m := s.add(f)
	_, err := s.w.Update(s.Context(), s.w.By, m.ID, domain.Doc{"content": raw("Bob prefers coffee"), "importance": raw(nil), "metadata": raw(map[string]any{"n": 2})})
	s.must(err)
	s.w.Settle(s)
	got, err := s.w.Get(s.Context(), s.w.By, m.ID)
	s.must(err)
	s.same(got.Fields, memory.Fields{UserID: "bob", Content: "Bob prefers coffee", Metadata: domain.Doc{"n": raw(2)}})
}

func (s *suite) delete() {
	m := s.add(of("bob", "tea"))
	s.must(s.w.Delete(s.Context(), s.w.By, m.ID))
	s.w.Settle(s)
	_, err := s.w.Get(s.Context(), s.w.By, m.ID)
	s.wantCode(err, domain.CodeNotFound)
	s.wantCode(s.w.Delete(s.Context(), s.w.By, m.ID), domain.CodeNotFound)
	s.listed(memory.Scope{UserID: "bob"}, "[]")
}

// listed checks the contents that a list answers with.
func (s *suite) listed(scope memory.Scope, want string) {
	s.Helper()
	page, err := s.w.List(s.Context(), s.w.By, scope, 10, "")
	s.must(err)
	s.wantItems(page, want)
}

func (s *suite) wantItems(page memory.Page, want string) {
	s.Helper()
	contents := []string{}
	for _, m := range page.Items {
		contents = append(contents, m.Content)
	}
	if got := fmt.Sprint(contents); got != want {
		s.Errorf("items %s, want %s", got, want)
	}
}

func (s *suite) list() {
	s.add(memory.Fields{Content: "one", UserID: "bob", AgentID: "agt_1", Metadata: domain.Doc{"n": raw(1), "t": raw("x")}})
	s.w.Pass(time.Second)
	s.add(memory.Fields{Content: "two", UserID: "bob", SessionID: "ses_1", Type: memory.Working, Metadata: domain.Doc{"n": raw(2)}})
	s.w.Pass(time.Second)
	s.add(memory.Fields{Content: "three", UserID: "eve", AgentID: "agt_1", AppID: "app_1"})
	s.listed(memory.Scope{UserID: "bob"}, "[two one]")
	s.listed(memory.Scope{AgentID: "agt_1"}, "[three one]")
	s.listed(memory.Scope{UserID: "bob", AgentID: "agt_1"}, "[one]")
	s.listed(memory.Scope{SessionID: "ses_1"}, "[two]")
	s.listed(memory.Scope{UserID: "eve", AppID: "app_1"}, "[three]")
	s.listed(memory.Scope{UserID: "bob", AppID: "app_1"}, "[]")
	s.listed(memory.Scope{UserID: "bob", Type: memory.Working}, "[two]")
	s.listed(memory.Scope{UserID: "bob", Metadata: domain.Doc{"n": raw(1)}}, "[one]")
	s.listed(memory.Scope{UserID: "bob", Metadata: domain.Doc{"t": raw(nil)}}, "[two]")
	s.listed(memory.Scope{UserID: "nobody"}, "[]")
}

func (s *suite) pages() {
	for i := range 5 {
		s.add(of("bob", fmt.Sprint("m", i)))
		s.w.Pass(time.Second)
	}
	after, seen := "", ""
	for range 3 {
		page, err := s.w.List(s.Context(), s.w.By, memory.Scope{UserID: "bob"}, 2, after)
		s.must(err)
		for _, m := range page.Items {
			seen += m.Content + " "
			after = m.ID
		}
		seen += fmt.Sprint(page.More, "; ")
	}
	if want := "m4 m3 true; m2 m1 true; m0 false; "; seen != want {
		s.Errorf("pages %q, want %q", seen, want)
	}
}

func (s *suite) search() {
	s.add(of("bob", "Bob prefers green tea"))
	s.add(memory.Fields{Content: "Bob drives a car", UserID: "bob", Type: memory.Episodic})
	s.add(of("eve", "Eve prefers green tea"))
	found, err := s.w.Search(s.Context(), s.w.By, memory.Query{Text: "green tea", Scope: memory.Scope{UserID: "bob"}, Least: 0.1})
	s.must(err)
	s.wantItems(found, "[Bob prefers green tea]")
	if len(found.Items) == 1 && (found.Items[0].Score <= 0 || found.Items[0].Score > 1) {
		s.Errorf("score %v", found.Items[0].Score)
	}
	found, err = s.w.Search(s.Context(), s.w.By, memory.Query{Text: "green tea", Scope: memory.Scope{UserID: "bob", Type: memory.Episodic}, Least: 0.1})
	s.must(err)
	s.wantItems(found, "[]")
}

func (s *suite) expiry() {
	f := of("bob", "tea today")
	f.ExpiresAt = s.w.Now().Add(time.Hour)
	m := s.add(f)
	s.listed(memory.Scope{UserID: "bob"}, "[tea today]")
	s.w.Pass(2 * time.Hour)
	_, err := s.w.Get(s.Context(), s.w.By, m.ID)
	s.wantCode(err, domain.CodeNotFound)
	s.listed(memory.Scope{UserID: "bob"}, "[]")
	found, err := s.w.Search(s.Context(), s.w.By, memory.Query{Text: "tea", Scope: memory.Scope{UserID: "bob"}})
	s.must(err)
	s.wantItems(found, "[]")
}
