package states_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/argument"
	"strata/domain/domaintest"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/projections/states"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*states.Queries[argument.State]
	second int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(argument.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
	w.runner = projectionstest.Start(t, w.log, codec, states.Model[argument.State]{Spec: states.Arguments()})
	db, err := w.runner.Reader("arguments")
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = states.NewQueries(states.Arguments(), db)
	return w
}

func (w *world) given(workspace, id string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.TB, w.codec, argument.Aggregate.Stream(id), projectionstest.Meta(workspace, w.second), facts...)
}

func (w *world) caughtUp() {
	w.Helper()
	projectionstest.WaitFor(w.TB, w.runner, w.log, "arguments")
}

func requested(action string) argument.Requested {
	return argument.Requested{Fields: argument.Fields{ActionID: action, Client: domain.Doc{"id": json.RawMessage(`"c"`)}}, Model: "p/m"}
}

func TestListGetOpen(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "arg_1", requested("act_1"))
	w.given("ws_1", "arg_2", requested("act_2"), argument.Completed{Argument: "b"}, argument.Reviewed{Status: argument.Success})
	w.given("ws_1", "arg_3", requested("act_1"), argument.Failed{Message: "no"}, argument.Deleted{})
	w.given("ws_2", "arg_4", requested("act_1"))
	w.caughtUp()
	for want, filters := range map[string]map[string]string{
		"[arg_1 arg_2]": nil, "[arg_2]": {"status": "success"}, "[arg_1]": {"action_id": "act_1"}, "[]": {"action_id": "act_1", "status": "failed"},
	} {
		found, err := w.List(t.Context(), "ws_1", filters, query.Page{})
		ids := []string{}
		for _, r := range found.Items {
			ids = append(ids, r.ID)
		}
		if err != nil || fmt.Sprint(ids) != want {
			t.Errorf("%v: %v (%v), want %s", filters, ids, err, want)
		}
	}
	if r, err := w.Get(t.Context(), "ws_1", "arg_2"); err != nil || r.State.Argument != "b" || r.Revision != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, miss := range [][2]string{{"ws_2", "arg_1"}, {"ws_1", "arg_3"}} {
		if _, err := w.Get(t.Context(), miss[0], miss[1]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%v: %v", miss, err)
		}
	}
	open, err := w.Open(t.Context(), projectionstest.Meta("", 60).OccurredAt, 10)
	if err != nil || len(open) != 2 || open[0].ID != "arg_1" || open[1].Workspace != "ws_2" {
		t.Errorf("open %+v, %v", open, err)
	}
	if early, err := w.Open(t.Context(), projectionstest.Meta("", 0).OccurredAt, 10); err != nil || len(early) != 0 {
		t.Errorf("open before anything was: %+v, %v", early, err)
	}
}

// The rows of any history equal the fold of the aggregate.
func TestRowsEqualTheFold(t *testing.T) {
	w, round := newWorld(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		round++
		log, folded := domaintest.NewLog(), map[string]*argument.State{}
		for range rapid.IntRange(1, 20).Draw(rt, "commands") {
			id := fmt.Sprintf("arg_%d_%d", round, rapid.IntRange(1, 2).Draw(rt, "argument"))
			if folded[id] == nil {
				folded[id] = argument.Aggregate.New(id)
			}
			client := domain.Doc{"id": json.RawMessage(rapid.SampledFrom([]string{`"a"`, `"b"`}).Draw(rt, "client"))}
			var cmd domain.Decider[argument.State]
			switch rapid.IntRange(0, 6).Draw(rt, "command") {
			case 0, 1:
				cmd = argument.Request{Fields: argument.Fields{Client: client, Product: client, InsightSpec: client}, Model: "p/m"}
			case 2:
				cmd = argument.Complete{Completed: argument.Completed{Argument: "a", Model: "p/m"}}
			case 3:
				cmd = argument.Fail{Message: "no"}
			case 4:
				cmd = argument.Delete{}
			default:
				status := rapid.SampledFrom(argument.Statuses()).Draw(rt, "status")
				cmd = argument.Revise{Patch: domain.Doc{"product": json.RawMessage(`{"n":1}`)}, Review: &argument.ReviewPatch{Status: &status}}
			}
			_ = domaintest.Do(log, argument.Aggregate, id, folded[id], cmd) // a refusal is a fine outcome
		}
		for _, e := range log.Events {
			w.log.Write(t, w.codec, e.Stream, e.Meta, e.Fact)
		}
		w.caughtUp()
		for id, want := range folded {
			got, err := w.Get(t.Context(), domaintest.Workspace, id)
			if !want.Exists || want.Deleted {
				if domain.CodeOf(err) != domain.CodeNotFound {
					rt.Fatalf("%s should not be there: %v", id, err)
				}
				continue
			}
			if err != nil || !reflect.DeepEqual(got.State, want) {
				rt.Fatalf("row  %+v\nfold %+v\n%v", got.State, want, err)
			}
		}
	})
}
