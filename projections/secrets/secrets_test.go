package secrets_test

import (
	"fmt"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/secret"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/projections/secrets"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*secrets.Queries
	now    time.Time
	second int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(secret.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
	w.runner = projectionstest.Start(t, w.log, codec, secrets.Model{})
	db, err := w.runner.Reader(secrets.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.now = projectionstest.Meta("ws_1", 0).OccurredAt
	w.Queries = secrets.NewQueries(db, func() time.Time { return w.now })
	return w
}

func (w *world) given(workspace, name string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.TB, w.codec, secret.Aggregate.Stream(secret.ID(workspace, name)), projectionstest.Meta(workspace, w.second), facts...)
}

func (w *world) caughtUp() {
	w.Helper()
	projectionstest.WaitFor(w.TB, w.runner, w.log, secrets.Name)
}

func (w *world) names(f secrets.Filter) string {
	w.Helper()
	f.Workspace = "ws_1"
	found, err := w.List(w.Context(), f, query.Page{Sort: "name"})
	if err != nil {
		w.Fatal(err)
	}
	names := []string{}
	for _, s := range found.Items {
		names = append(names, s.Name)
	}
	return fmt.Sprint(names)
}

func created(name string) secret.Created {
	return secret.Created{Name: name, Subject: "sec_of_" + name, Value: "sealed 1"}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "plain", created("plain"))
	due, short := created("due"), created("short")
	due.RotationDays, due.Tags = 1, []string{"ci", "old", "ci"}
	short.ExpiresAt, short.RotationDays = w.now.AddDate(0, 0, 1), 1
	w.given("ws_1", "due", due)
	w.given("ws_1", "short", short)
	w.given("ws_1", "gone", created("gone"), secret.Deleted{})
	w.given("ws_2", "other", created("other"))
	w.caughtUp()
	for want, f := range map[string]secrets.Filter{
		"[due plain short]": {}, "[due]": {Tag: "old"}, "[short]": {Search: "HOR"}, "[]": {Status: secret.Expired},
	} {
		if got := w.names(f); got != want {
			t.Errorf("%+v: %s, want %s", f, got, want)
		}
	}
	w.now = w.now.AddDate(0, 0, 2)
	for status, want := range map[secret.Status]string{secret.Active: "[plain]", secret.RotationDue: "[due]", secret.Expired: "[short]"} {
		if got := w.names(secrets.Filter{Status: status}); got != want {
			t.Errorf("%s: %s, want %s", status, got, want)
		}
	}
}

func TestVersionsAndAccesses(t *testing.T) {
	w := newWorld(t)
	use := secret.Used{Version: 1, Consumer: "workflow/wf_1", Day: "2026-01-01"}
	w.given("ws_1", "door", created("door"), use)
	w.given("ws_1", "door", secret.Rotated{Version: 2, Value: "sealed 2"}, secret.Revealed{Version: 1, Reason: "moving"}, secret.Updated{RotationDays: new(3)})
	w.caughtUp()
	s, versions, err := w.Versions(t.Context(), "ws_1", "DOOR", query.Page{})
	if err != nil || len(versions.Items) != 2 || versions.Items[0].Version != 2 || s.Version != 2 {
		t.Fatalf("%+v %v", versions.Items, err)
	}
	if v, ok := s.Value(0); !ok || v != "sealed 2" {
		t.Errorf("%q", v)
	}
	actions := func(action, search string) string {
		t.Helper()
		found, err := w.Accesses(t.Context(), "ws_1", "door", action, search, query.Page{})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]int{}
		for _, a := range found.Items {
			out[a.Action]++
		}
		return fmt.Sprint(out)
	}
	for want, ask := range map[string][2]string{"map[reveal:1 rotate:1 update:1 use:1]": {}, "map[use:1]": {"use", ""}, "map[reveal:1]": {"", "MOV"}, "map[]": {"delete", ""}} {
		if got := actions(ask[0], ask[1]); got != want {
			t.Errorf("%v: %s, want %s", ask, got, want)
		}
	}
	w.given("ws_1", "door", secret.Deleted{})
	w.caughtUp()
	if _, err := w.Get(t.Context(), "ws_1", "door"); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("it is deleted: %v", err)
	}
	if got := actions("delete", ""); got != "map[delete:1]" {
		t.Errorf("what was done with it can still be seen: %s", got)
	}
	if _, err := w.Accesses(t.Context(), "ws_2", "door", "", "", query.Page{}); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("another workspace's: %v", err)
	}
	w.given("ws_1", "door", created("door"))
	w.caughtUp()
	if s, versions, err = w.Versions(t.Context(), "ws_1", "door", query.Page{}); err != nil || s.Version != 1 || len(versions.Items) != 1 {
		t.Errorf("a new one begins anew: %+v %+v %v", s, versions.Items, err)
	}
}
