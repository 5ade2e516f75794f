package knowledge_test

import (
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/knowledge"
	model "strata/projections/knowledge"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a model that runs over a log.
type world struct {
	*testing.T
	log    *projectionstest.Log
	codec  *streams.Codec
	second int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	codec, err := streams.NewCodec(append(append([]domain.FactType{}, knowledge.Bases.Facts...), knowledge.Documents.Facts...), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &world{T: t, log: projectionstest.NewLog(), codec: codec}
}

func (w *world) given(stream domain.StreamID, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.T, w.codec, stream, projectionstest.Meta("ws_1", w.second), facts...)
}

func base(name string) knowledge.BaseCreated {
	return knowledge.BaseCreated{BaseFields: knowledge.BaseFields{Name: name, Settings: knowledge.Settings{EmbeddingModel: "m", ChunkSize: 64}, Tags: []string{"a"}}}
}

func received(in string) knowledge.Received {
	return knowledge.Received{BaseID: in, About: knowledge.About{Name: "x.md"}, SizeBytes: 10, Settings: knowledge.Settings{EmbeddingModel: "m", ChunkSize: 64}}
}

var done = []domain.Fact{knowledge.WasCut{Run: 1, Chunks: 2, Tokens: 9}, knowledge.Embedded{Run: 1, Count: 2, Of: 2}, knowledge.Ready{Run: 1}}

func TestStatusFollowsTheDocuments(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"kb_empty", "kb_ready", "kb_busy", "kb_failed", "kb_gone"} {
		w.given(knowledge.Bases.Stream(id), base(id[3:]))
	}
	w.given(knowledge.Documents.Stream("doc_1"), append([]domain.Fact{received("kb_ready")}, done...)...)
	w.given(knowledge.Documents.Stream("doc_2"), received("kb_ready"), knowledge.RunFailed{Run: 1, Error: "why"})
	w.given(knowledge.Documents.Stream("doc_3"), received("kb_busy"))
	w.given(knowledge.Documents.Stream("doc_4"), received("kb_failed"), knowledge.RunFailed{Run: 1, Error: "why"})
	w.given(knowledge.Documents.Stream("doc_5"), received("kb_gone"))
	w.given(knowledge.Documents.Stream("doc_6"), received("kb_ready"), knowledge.DocumentDeleted{BaseID: "kb_ready"})
	w.given(knowledge.Bases.Stream("kb_gone"), knowledge.BaseDeleted{})
	runner := projectionstest.Start(t, w.log, w.codec, model.Model{})
	db, err := runner.Reader(model.Name)
	if err != nil {
		t.Fatal(err)
	}
	projectionstest.WaitFor(t, runner, w.log, model.Name)
	q := model.NewQueries(db)
	for status, want := range map[string]string{"": "kb_busy kb_empty kb_failed kb_ready ", "ready": "kb_ready ", "processing": "kb_busy ", "failed": "kb_failed ", "empty": "kb_empty "} {
		found, err := q.Bases(t.Context(), "ws_1", "", status, query.Page{Sort: "name"})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, b := range found.Items {
			got += b.ID + " "
			if status != "" && string(b.Status()) != status {
				t.Errorf("%s is %s", b.ID, b.Status())
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", status, got, want)
		}
	}
	b, err := q.Base(t.Context(), "ws_1", model.IndexOf("kb_ready"))
	if err != nil || b.Documents != 2 || b.Chunks != 2 || b.Tokens != 9 || b.SizeBytes != 20 || b.Name != "ready" {
		t.Errorf("base %+v, %v", b, err)
	}
	for _, miss := range [][2]string{{"ws_2", "kb_ready"}, {"ws_1", "kb_gone"}, {"ws_1", "nobody"}} {
		if _, err := q.Base(t.Context(), miss[0], miss[1]); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%v: %v", miss, err)
		}
	}
	if _, err := q.Document(t.Context(), "ws_1", "doc_5"); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("a document of a base that is gone: %v", err)
	}
	open, err := q.Open(t.Context(), "", 10)
	if err != nil || fmt.Sprint(open) != "[[doc_3 "+open[0][1]+" ws_1] [doc_5 "+open[0][1]+" ws_1]]" {
		t.Errorf("open %v, %v", open, err)
	}
}

func TestRebuild(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		id := fmt.Sprintf("doc_%d", i%13)
		switch {
		case i < 13:
			w.given(knowledge.Documents.Stream(id), received("kb_1"))
		case i < 26:
			w.given(knowledge.Documents.Stream(id), done...)
		case i > 56:
			w.given(knowledge.Documents.Stream(id), knowledge.DocumentDeleted{BaseID: "kb_1"})
		default:
			w.given(knowledge.Documents.Stream(id), knowledge.ReprocessingAsked{Run: i, BaseID: "kb_1"})
		}
	}
	w.given(knowledge.Bases.Stream("kb_1"), base("one"))
	projectionstest.CheckRebuild(t, w.codec, model.Model{}, w.log)
}
