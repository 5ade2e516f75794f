package erasures_test

import (
	"testing"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/privacy"
	"strata/projections/erasures"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestErasures(t *testing.T) {
	codec, err := streams.NewCodec(privacy.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	log := projectionstest.NewLog()
	given := func(id string, second int, facts ...domain.Fact) {
		for _, f := range facts {
			p, err := codec.Encode(domain.NewEventID(), f, projectionstest.Meta("ws_1", second))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := log.Append(t.Context(), privacy.Erasures.Stream(id), streams.Any, p); err != nil {
				t.Fatal(err)
			}
		}
	}
	asked := privacy.SubjectErased{Subject: "alice", Workspace: "ws_1", Places: []string{"analytics"}}
	given("era_1", 1, asked)
	given("era_2", 2, asked, privacy.PlaceErased{Place: "analytics"}, privacy.ErasureCompleted{Events: 3})
	runner := projectionstest.Start(t, log, codec, erasures.Model{})
	db, err := runner.Reader(erasures.Name)
	if err != nil {
		t.Fatal(err)
	}
	q := erasures.NewQueries(db)
	org := projectionstest.Meta("ws_1", 0).Organization
	projectionstest.WaitFor(t, runner, log, erasures.Name)
	r, err := q.List(t.Context(), erasures.Filter{Organization: org, Workspace: "ws_1"}, query.Page{Limit: 10, Desc: true})
	if err != nil || len(r.Items) != 2 || r.Items[0].ID != "era_2" || r.Items[0].Status() != privacy.Completed || r.Items[0].Events != 3 {
		t.Fatalf("listed %+v, %v", r.Items, err)
	}
	r, err = q.List(t.Context(), erasures.Filter{Organization: org, Workspace: "ws_1", Status: "pending"}, query.Page{Limit: 10})
	if err != nil || len(r.Items) != 1 || r.Items[0].ID != "era_1" || len(r.Items[0].Open()) != 1 {
		t.Errorf("pending %+v, %v", r.Items, err)
	}
	if _, err := q.Get(t.Context(), org, "ws_2", "era_1"); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("from another workspace: %v", err)
	}
	projectionstest.CheckRebuild(t, codec, erasures.Model{}, log)
}
