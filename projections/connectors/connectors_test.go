package connectors_test

import (
	"encoding/json"
	"testing"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/connector"
	"strata/projections"
	"strata/projections/connectors"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a model that runs over a log.
type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*connectors.Queries
	second int
}

func newWorld(t testing.TB) *world {
	t.Helper()
	codec, err := streams.NewCodec(connector.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
	w.runner = projectionstest.Start(t, w.log, codec, connectors.Model{})
	db, err := w.runner.Reader(connectors.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = connectors.NewQueries(db)
	return w
}

func (w *world) given(workspace, id string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.TB, w.codec, connector.Aggregate.Stream(id), projectionstest.Meta(workspace, w.second), facts...)
}

func (w *world) caughtUp() {
	w.Helper()
	projectionstest.WaitFor(w.TB, w.runner, w.log, connectors.Name)
}

func named(name string) connector.Created {
	return connector.Created{Name: name, Type: connector.AWSS3, S3: connector.S3{Bucket: "churn"}, Credentials: "sealed:v1:x"}
}

func asked(scan string, files ...string) connector.ScanRequested {
	return connector.ScanRequested{ScanID: scan, Files: files}
}

func found(scan, file string) connector.FileScanned {
	return connector.FileScanned{ScanID: scan, File: file, Format: "csv", Rows: 3, Subject: "con_1",
		Columns: []connector.Column{{Name: "age", Type: "integer", Min: json.RawMessage("1"), TopExact: true}}}
}

func TestConnectors(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "con_1", named("Churn"), connector.Connected{})
	w.given("ws_1", "con_2", named("Sales"), connector.ConnectionFailed{Reason: "no such bucket"})
	w.given("ws_1", "con_3", named("Gone"), connector.Deleted{})
	w.given("ws_2", "con_4", named("Theirs"))
	w.caughtUp()
	c, err := w.Get(t.Context(), "ws_1", "con_2")
	if err != nil || c.Status() != connector.Failed || c.Reason != "no such bucket" || c.Revision != 1 || c.Credentials == "" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, id := range []string{"con_3", "con_4", "con_5"} {
		if _, err := w.Get(t.Context(), "ws_1", id); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%s: %v", id, err)
		}
	}
	for filter, want := range map[connectors.Filter]int{
		{Workspace: "ws_1"}: 2, {Workspace: "ws_1", Status: "active"}: 1, {Workspace: "ws_1", Search: "SAL"}: 1, {Workspace: "ws_1", Type: "postgres"}: 0, {Workspace: "ws_2"}: 1,
	} {
		if r, err := w.List(t.Context(), filter, query.Page{Limit: 10}); err != nil || len(r.Items) != want {
			t.Errorf("%+v: %d, %v", filter, len(r.Items), err)
		}
	}
	if untried, err := w.Untried(t.Context()); err != nil || len(untried) != 1 || untried[0].Connector != "con_4" || untried[0].Workspace != "ws_2" {
		t.Errorf("untried %+v, %v", untried, err)
	}
	projectionstest.CheckRebuild(t, w.codec, connectors.Model{}, w.log)
}

func TestScans(t *testing.T) {
	w := newWorld(t)
	w.given("ws_1", "con_1", named("Churn"), connector.Connected{}, asked("scn_1", "b.csv", "a.csv"), found("scn_1", "a.csv"))
	w.given("ws_1", "con_2", named("Sales"), connector.Connected{}, asked("scn_2", "c.csv"))
	w.caughtUp()
	open, err := w.Open(t.Context(), 10)
	if err != nil || len(open) != 2 || open[0].File != "b.csv" || open[0].Scan != "scn_1" || open[1].Connector != "con_2" {
		t.Errorf("open %+v, %v", open, err)
	}
	w.given("ws_1", "con_1", connector.FileScanFailed{ScanID: "scn_1", File: "b.csv", Reason: "is gone"}, connector.ScanCompleted{ScanID: "scn_1", Failed: 1}, asked("scn_3", "a.csv"))
	w.given("ws_1", "con_2", connector.Deleted{})
	w.caughtUp()
	if open, err := w.Open(t.Context(), 10); err != nil || len(open) != 1 || open[0].Scan != "scn_3" {
		t.Errorf("open %+v, %v", open, err)
	}
	s, err := w.Scan(t.Context(), "ws_1", "con_1", "scn_1")
	if err != nil || s.CompletedAt.IsZero() || s.Failed != 1 || s.Count != 2 || len(s.Files) != 2 || s.Files[0].Error != "is gone" || s.Files[0].Found != nil ||
		s.Files[1].Found == nil || s.Files[1].Found.Columns[0].Name != "age" || s.Files[1].Open {
		t.Errorf("%+v, %v", s, err)
	}
	r, err := w.Scans(t.Context(), "ws_1", "con_1", query.Page{Limit: 10})
	if err != nil || len(r.Items) != 2 || r.Items[0].ID != "scn_3" || !r.Items[0].CompletedAt.IsZero() {
		t.Errorf("%+v, %v", r, err)
	}
	for _, at := range [][3]string{{"ws_2", "con_1", "scn_1"}, {"ws_1", "con_1", "scn_2"}, {"ws_1", "con_2", "scn_2"}} {
		if _, err := w.Scan(t.Context(), at[0], at[1], at[2]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%v: %v", at, err)
		}
	}
	projectionstest.CheckRebuild(t, w.codec, connectors.Model{}, w.log)
}

var _ projections.Forgetter = connectors.Model{}
