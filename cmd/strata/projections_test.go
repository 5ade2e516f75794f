package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/projection"
	"strata/domain/session"
	"strata/streams"
)

const projectionsPath = "/api/v1/admin/projections"

// decoded reads the data of an answer.
func decoded[T any](t *testing.T, r reply) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(r.Data, &v); err != nil {
		t.Fatalf("%v in %s", err, r.Data)
	}
	return v
}

// poison appends an event that nothing can read to a stream.
func poison(t *testing.T, i *installation, stream domain.StreamID) domain.Position {
	t.Helper()
	done, err := i.app.store.Append(context.Background(), stream, streams.Any, streams.Proposed{ID: domain.NewEventID(),
		Type: "session.unheard_of.v1", Workspace: firstWorkspace, Data: []byte(`{"a":1}`), Meta: []byte(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	return done.Position
}

type shownProjection struct {
	Name, Kind, Status, State string
	Ready                     bool
	Position, Head            uint64
	Parked                    int
	Rebuild                   *struct {
		State       string
		Position    uint64
		Differences []json.RawMessage
	}
}

func projectionNamed(t *testing.T, s *installation, name string) shownProjection {
	t.Helper()
	return decoded[shownProjection](t, call(t, s, "GET", projectionsPath+"/"+name, nil).must(t, http.StatusOK))
}

func TestProjectionsAreListed(t *testing.T) {
	s := start(t)
	all := decoded[[]shownProjection](t, call(t, s, "GET", projectionsPath, nil).must(t, http.StatusOK))
	kinds := map[string]string{}
	for _, p := range all {
		kinds[p.Name] = p.Kind
		if p.Kind == "model" && (p.Status != "running" || !p.Ready) {
			t.Errorf("%+v", p)
		}
	}
	for name, kind := range map[string]string{"sessions": "model", "identity": "model", "budget-healer": "reactor", "inferences": "reactor"} {
		if kinds[name] != kind {
			t.Errorf("%s is shown as %q", name, kinds[name])
		}
	}
	first := call(t, s, "GET", projectionsPath+"?limit=2", nil).must(t, http.StatusOK)
	second := decoded[[]shownProjection](t, call(t, s, "GET", projectionsPath+"?limit=2&cursor="+first.Pagination.NextCursor, nil).must(t, http.StatusOK))
	if !first.Pagination.HasMore || len(second) != 2 || second[0].Name != all[2].Name {
		t.Errorf("the second page is %+v of %+v", second, all)
	}
	call(t, s, "GET", projectionsPath+"/none", nil).must(t, http.StatusNotFound)
}

func TestRebuildOverTheAPI(t *testing.T) {
	s := start(t)
	for n := range 3 {
		call(t, s, "POST", "/api/v1/budgets", map[string]any{"name": fmt.Sprint(n), "scopeType": "workspace", "limitUsd": 1, "period": "daily"}).must(t, http.StatusCreated)
	}
	begun := call(t, s, "POST", projectionsPath+"/budgets/rebuild", map[string]any{"eventsPerSecond": 1000}).must(t, http.StatusAccepted)
	if p := decoded[shownProjection](t, begun); p.Rebuild == nil {
		t.Errorf("%s", begun.Data)
	}
	if _, err := s.app.models.runner.WaitRebuild(t.Context(), "budgets"); err != nil {
		t.Fatal(err)
	}
	p := projectionNamed(t, s, "budgets")
	if p.Rebuild == nil || p.Rebuild.State != "done" || len(p.Rebuild.Differences) > 0 || p.Status != "running" {
		t.Errorf("%+v %+v", p, p.Rebuild)
	}
	call(t, s, "DELETE", projectionsPath+"/budgets/rebuild", nil).must(t, http.StatusConflict)
	call(t, s, "POST", projectionsPath+"/budget-healer/rebuild", map[string]any{}).must(t, http.StatusConflict)
	call(t, s, "POST", projectionsPath+"/none/rebuild", map[string]any{}).must(t, http.StatusNotFound)
	call(t, s, "POST", projectionsPath+"/sessions/rebuild", map[string]any{"fromPosition": 7}).must(t, http.StatusBadRequest)
}

func TestParkedEventsOverTheAPI(t *testing.T) {
	dir := t.TempDir()
	s := install(t, dir)
	stream := session.Aggregate.Stream("ses_poisoned")
	at := poison(t, s, stream)
	behind := poison(t, s, stream)
	path := projectionsPath + "/sessions/parked"
	type item struct {
		Position    uint64
		Error       string
		Waiting     bool
		Raw         []byte
		DecodeError string
	}
	var all []item
	eventually(t, "both events are parked", func() bool {
		all = decoded[[]item](t, call(t, s, "GET", path, nil).must(t, http.StatusOK))
		return len(all) == 2
	})
	if all[0].Position != uint64(at) || all[0].Error == "" || all[0].Waiting || !all[1].Waiting {
		t.Errorf("%+v", all)
	}
	eventually(t, "both are counted, and the model goes on", func() bool {
		p := projectionNamed(t, s, "sessions")
		return p.Parked == 2 && p.Status == "running"
	})
	seen := decoded[item](t, call(t, s, "GET", fmt.Sprintf("%s/%d", path, at), nil).must(t, http.StatusOK))
	if string(seen.Raw) != `{"a":1}` || seen.DecodeError == "" {
		t.Errorf("%+v", seen)
	}
	call(t, s, "GET", path+"/1", nil).must(t, http.StatusNotFound)
	tried := decoded[struct {
		Applied, Parked int
		Failed          []item
	}](t, call(t, s, "POST", path+"/retry", map[string]any{}).must(t, http.StatusOK))
	if tried.Applied != 0 || tried.Parked != 2 || len(tried.Failed) != 1 || tried.Failed[0].Position != uint64(at) {
		t.Errorf("%+v", tried)
	}
	call(t, s, "POST", path+"/discard", map[string]any{"position": at}).must(t, http.StatusBadRequest)
	call(t, s, "POST", path+"/discard", map[string]any{"reason": "x"}).must(t, http.StatusBadRequest)
	gone := decoded[struct{ Discarded, Parked int }](t, call(t, s, "POST", path+"/discard", map[string]any{"position": at, "reason": "a test"}).must(t, http.StatusOK))
	if gone.Discarded != 1 || gone.Parked != 1 {
		t.Errorf("%+v", gone)
	}
	facts := logged[projection.EventDiscarded](t, s)
	if len(facts) != 1 || facts[0].Position != at || facts[0].Projection != "sessions" || facts[0].Reason != "a test" {
		t.Errorf("%+v", facts)
	}
	s.close(t)()
	s = install(t, dir) // what was decided holds, and what is parked stays
	if p := projectionNamed(t, s, "sessions"); p.Parked != 1 {
		t.Errorf("%+v", p)
	}
	call(t, s, "POST", path+"/discard", map[string]any{"stream": stream, "reason": "the rest too"}).must(t, http.StatusOK)
	call(t, s, "POST", projectionsPath+"/sessions/rebuild", map[string]any{}).must(t, http.StatusAccepted)
	if _, err := s.app.models.runner.WaitRebuild(t.Context(), "sessions"); err != nil {
		t.Fatal(err)
	}
	if p := projectionNamed(t, s, "sessions"); p.Parked != 0 || len(p.Rebuild.Differences) > 0 {
		t.Errorf("a rebuild parks again what was discarded (%d), or %+v", behind, p)
	}
}

// Whoever administers another workspace, even of the same organization, sees
// nothing of the installation.
func TestProjectionsAreForThoseWhoRunTheInstallation(t *testing.T) {
	s := start(t)
	org := decoded[struct{ Organization struct{ ID string } }](t, call(t, s, "GET", "/api/v1/auth/whoami", nil).must(t, http.StatusOK)).Organization.ID
	ws := call(t, s, "POST", "/api/v1/organizations/"+org+"/workspaces", map[string]any{"name": "Other"}).must(t, http.StatusCreated).field(t, "id")
	key := call(t, s, "POST", "/api/v1/user/api-keys", map[string]any{"name": "k", "workspaceId": ws}).must(t, http.StatusCreated).field(t, "key")
	for _, c := range [][2]string{{"GET", ""}, {"GET", "/sessions"}, {"GET", "/sessions/parked"}, {"POST", "/sessions/rebuild"}, {"POST", "/sessions/parked/discard"}} {
		call(t, s, c[0], projectionsPath+c[1], map[string]any{}, "Authorization", "Bearer "+key).must(t, http.StatusForbidden)
	}
}

func TestRebuildAtARunningServer(t *testing.T) {
	s := start(t)
	t.Setenv(keyVariable, testKey)
	var out bytes.Buffer
	if err := run(t.Context(), []string{"rebuild", "identity", "--server", s.URL, "--events-per-second", "1000"}, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "identity was folded again from the log: it equals") {
		t.Errorf("%s", out.String())
	}
	for _, args := range [][]string{{"none", "--server", s.URL}, {"identity", "--server", "nowhere"}, {"identity", "--compare", "--server", s.URL}} {
		if err := run(t.Context(), append([]string{"rebuild"}, args...), &out); err == nil {
			t.Errorf("rebuild %v: no error", args)
		}
	}
	t.Setenv(keyVariable, "")
	if err := run(t.Context(), []string{"rebuild", "identity", "--server", s.URL}, &out); err == nil {
		t.Error("no key, no error")
	}
}

// What is parked shows where operators look.
func TestParkedEventsShow(t *testing.T) {
	s := start(t)
	poison(t, s, session.Aggregate.Stream("ses_poisoned"))
	eventually(t, "the event is parked", func() bool {
		p := projectionNamed(t, s, "sessions")
		return p.Parked == 1 && p.State == "live"
	})
	for path, want := range map[string]string{
		"/metrics": `strata_projection_parked_events{projection="sessions"} 1`,
		"/readyz":  `"model":"sessions","version":1,"state":"live","ready":true`,
	} {
		res, err := s.Client().Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusOK || !strings.Contains(string(text), want) || strings.Contains(string(text), "unheard_of") {
			t.Errorf("%s: %d without %s in %s", path, res.StatusCode, want, text)
		}
	}
}
