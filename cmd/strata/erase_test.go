package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"strata/commands"
	"strata/domain"
	"strata/domain/identity"
	"strata/internal/sqlite"
	"strata/projections"
)

// send posts to the plain mount.
func send(t *testing.T, s *installation, path string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("POST %s: %d, %v", path, res.StatusCode, err)
	}
}

// erased asks for an erasure and waits until it is complete.
func erased(t *testing.T, s *installation, subject string) {
	t.Helper()
	var got struct{ ID, Status string }
	r := call(t, s, "POST", "/api/v1/privacy/erasures", map[string]string{"subject": subject})
	if err := json.Unmarshal(r.Data, &got); err != nil || r.Status >= http.StatusBadRequest {
		t.Fatalf("%d %s %v", r.Status, r.Data, err)
	}
	eventually(t, "the erasure is complete", func() bool {
		r := call(t, s, "GET", "/api/v1/privacy/erasures/"+got.ID, nil)
		return r.Status == http.StatusOK && json.Unmarshal(r.Data, &got) == nil && got.Status == "completed"
	})
}

// Rows that were made of plain data and then erased are the rows that a fresh
// fold of the log gives, in every read model.
func TestErasedRowsAreWhatARebuildGives(t *testing.T) {
	s := start(t)
	for _, who := range []string{"alice", "bob"} {
		create := map[string]any{"uid": "s-" + who, "user_id": who, "state": map[string]string{"note": "secret of " + who}}
		send(t, s, "/v1/sessions", create)
		for range 3 {
			send(t, s, "/v1/sessions/s-"+who+"/events", map[string]any{"author": "user", "content": map[string]string{"text": "secret of " + who}})
		}
		send(t, s, "/v1/memory/internal/memories", map[string]any{"content": "secret of " + who, "user_id": who})
	}
	_, err := commands.Run[identity.User, struct{}](t.Context(), s.app.handler, identity.Users,
		commands.Request{Principal: domain.System(firstOrganization, ""), ID: "user_eve", Create: true},
		identity.CreateUser{Email: "eve@example.com", FirstName: "Eve", Role: identity.Member}, nil)
	if err != nil {
		t.Fatal(err)
	}
	persona := func(name string) string {
		return call(t, s, "POST", "/api/v1/personas", map[string]any{"name": name, "birthdate": "1985-12-10", "notes": "secret of " + name}).
			must(t, http.StatusCreated).field(t, "id")
	}
	known, changed, last := persona("Ada"), persona("Bea"), persona("Cid")
	call(t, s, "PUT", "/api/v1/personas/"+changed, map[string]any{"notes": "another secret"}).must(t, http.StatusOK)
	for _, id := range []string{known, changed, last} {
		erased(t, s, id)
	}
	erased(t, s, "alice")
	erased(t, s, "user_eve")
	call(t, s, "DELETE", "/api/v1/personas/"+last, nil).must(t, http.StatusOK) // what was erased can be deleted
	send(t, s, "/v1/sessions", map[string]any{"uid": "s-again", "user_id": "alice"})
	head, err := s.app.store.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range allModels() {
		if lag, err := s.app.models.runner.Wait(t.Context(), m.Name(), head); err != nil || lag > 0 {
			t.Fatalf("%s is behind by %d: %v", m.Name(), lag, err)
		}
		fresh := filepath.Join(t.TempDir(), "fresh.db")
		if _, err := projections.Rebuild(t.Context(), s.app.store, s.app.codec, m, fresh); err != nil {
			t.Fatal(err)
		}
		diff, err := projections.Compare(t.Context(), filepath.Join(s.app.cfg.Data.ModelsDir(), projections.FileName(m)), fresh)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range diff {
			t.Errorf("%s: %s", m.Name(), d)
		}
	}
	call(t, s, "GET", "/api/v1/personas/"+changed, nil).must(t, http.StatusNotFound)
	call(t, s, "GET", "/api/v1/personas/"+changed+"?at=0", nil).must(t, http.StatusNotFound)
	call(t, s, "PUT", "/api/v1/personas/"+changed, map[string]any{"notes": "new"}).must(t, http.StatusGone)
	if found := call(t, s, "GET", "/api/v1/personas", nil).must(t, http.StatusOK); string(found.Data) != "[]" {
		t.Errorf("erased personas are listed: %s", found.Data)
	}
	if users := call(t, s, "GET", "/api/v1/users/user_eve", nil); users.Status != http.StatusNotFound {
		t.Errorf("the erased user is shown: %d %s", users.Status, users.Data)
	}
}

func TestErasureRefusals(t *testing.T) {
	s := start(t)
	path := "/api/v1/privacy/erasures"
	if r := call(t, s, "POST", path, map[string]string{"subject": ""}); r.Status != http.StatusBadRequest || r.Error.Code != "VALIDATION_ERROR" {
		t.Errorf("without a subject: %d %+v", r.Status, r.Error)
	}
	if r := call(t, s, "POST", path, map[string]string{"subject": firstUser}); r.Status != http.StatusConflict {
		t.Errorf("one's own user: %d %+v", r.Status, r.Error)
	}
	if r := call(t, s, "POST", path, map[string]string{"subject": "nobody"}); r.Status >= http.StatusBadRequest {
		t.Errorf("a subject of whom there is nothing: %d %+v", r.Status, r.Error)
	}
}

// A server whose keys are gone says so; it does not take what is sealed for
// erased.
func TestLostKeysAreNotErased(t *testing.T) {
	dir := t.TempDir()
	s := install(t, dir)
	send(t, s, "/v1/sessions", map[string]any{"user_id": "alice"})
	keys := s.app.cfg.Data.SubjectKeysFile()
	s.close(t)()
	if err := sqlite.Remove(keys); err != nil {
		t.Fatal(err)
	}
	a, err := open(t.Context(), testConfig(dir), s.app.log, s.now)
	if err == nil || !strings.Contains(err.Error(), keys) {
		t.Errorf("it starts without the keys: %v", err)
	}
	if a != nil {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}
}
