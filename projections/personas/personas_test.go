package personas_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/projections/personas"
	"strata/projections/projectionstest"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var agg = domain.KindAggregate(catalogue.Personas.Spec())

func newCodec(t *testing.T) *streams.Codec {
	t.Helper()
	codec, err := streams.NewCodec(agg.Facts, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return codec
}

func fact(verb string, fields ...string) domain.KindFact {
	f := domain.KindFact{Kind: "persona", Verb: verb, Doc: domain.Doc{}}
	for i := 0; i < len(fields); i += 2 {
		f.Doc[fields[i]] = json.RawMessage(fmt.Sprintf("%q", fields[i+1]))
	}
	return f
}

func TestFind(t *testing.T) {
	log, codec := projectionstest.NewLog(), newCodec(t)
	runner := projectionstest.Start(t, log, codec, personas.Model{})
	db, err := runner.Reader(personas.Name)
	if err != nil {
		t.Fatal(err)
	}
	q := personas.NewQueries(db)
	write := func(workspace, id string, second int, facts ...domain.Fact) {
		t.Helper()
		log.Write(t, codec, agg.Stream(id), projectionstest.Meta(workspace, second), facts...)
	}
	ada, bob := [2]string{"Ada", "1985-12-10"}, [2]string{"Bob", "1990-01-01"}
	born := func(pair [2]string) domain.KindFact {
		return fact(domain.VerbCreated, "name", pair[0], "birthdate", pair[1], "notes", "n")
	}
	write("ws_1", "per_late", 20, born(ada))
	write("ws_1", "per_early", 10, born(ada))
	write("ws_1", "per_bob", 10, born(bob), fact(domain.VerbUpdated, "notes", "x"))
	write("ws_2", "per_other", 10, born(ada))
	write("ws_1", "per_gone", 10, born(ada), fact(domain.VerbDeleted))
	write("ws_1", "per_renamed", 30, born(bob), fact(domain.VerbUpdated, "name", "Ada", "birthdate", ada[1]))
	projectionstest.WaitFor(t, runner, log, personas.Name)
	expect := func(want map[[2]string][]string, pairs ...[2]string) {
		t.Helper()
		got, err := q.Find(t.Context(), "ws_1", pairs)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("found %v %v, want %v", got, err, want)
		}
	}
	expect(map[[2]string][]string{ada: {"per_early", "per_late", "per_renamed"}, bob: {"per_bob"}}, ada, bob, ada, [2]string{"Ada", bob[1]})
	expect(map[[2]string][]string{}, [2]string{"ada", ada[1]})
	expect(map[[2]string][]string{})
}

// Whatever a batch holds, the model's rows are those of a fresh fold.
func TestModelRebuild(t *testing.T) {
	codec, history := newCodec(t), projectionstest.NewLog()
	for i := range 80 {
		f := fact(domain.VerbUpdated, "name", fmt.Sprint("n", i))
		switch {
		case i < 7:
			f = fact(domain.VerbCreated, "name", fmt.Sprint("n", i), "birthdate", "1990-01-01")
		case i%9 == 0:
			f = fact(domain.VerbDeleted)
		case i%5 == 0:
			f = fact(domain.VerbUpdated, "birthdate", fmt.Sprintf("1990-01-%02d", i%28+1))
		}
		history.Write(t, codec, agg.Stream(fmt.Sprint("per_", i%7)), projectionstest.Meta("ws_1", i), f)
	}
	projectionstest.CheckRebuild(t, codec, personas.Model{}, history)
}
