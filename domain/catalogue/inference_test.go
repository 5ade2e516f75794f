package catalogue_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/domaintest"
)

func TestInferenceChecks(t *testing.T) {
	for _, test := range []struct {
		kind   domain.AnyKind
		doc    string
		faults string
	}{
		{catalogue.Actions, `{}`, ""},
		{catalogue.Actions, `{"start_date":"2026-01-01","end_date":"2026-01-01T12:00:00+02:00"}`, ""},
		{catalogue.Actions, `{"start_date":"2026-01-02","end_date":"2026-01-01T12:00:00Z"}`, "end_date"},
		{catalogue.Actions, `{"start_date":"tomorrow","end_date":"2026-13-01"}`, "end_date start_date"},
		{catalogue.Personas, `{"birthdate":"1985-12-10"}`, ""},
		{catalogue.Personas, `{"birthdate":"1985-02-30"}`, "birthdate"},
		{catalogue.Personas, `{"birthdate":"10.12.1985"}`, "birthdate"},
		{catalogue.Benchmarks, `{"metrics":["ks"],"connectors":[{"connector_id":"con_1"}]}`, ""},
		{catalogue.Benchmarks, `{"metrics":["f1","mse","f1"]}`, "connectors metrics[1] metrics[2]"},
	} {
		got := faulty(t, test.kind, test.doc)
		slices.Sort(got)
		if want := strings.Fields(test.faults); !slices.Equal(got, want) {
			t.Errorf("%s %s: faults in %v, want %v", test.kind.Spec().Name, test.doc, got, want)
		}
	}
}

func docOf(t *testing.T, text string) domain.Doc {
	t.Helper()
	var d domain.Doc
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// The single connector of an update stands for a list of one.
func TestSingleConnector(t *testing.T) {
	agg := domain.KindAggregate(catalogue.Benchmarks.Spec())
	doc := docOf(t, `{"name":"n","description":"d","task":"t","metrics":["ks"],"connectors":[
		{"connector_id":"con_1","files":["a"],"target":"y","features":["x"]},{"connector_id":"con_2","files":["b"],"target":"z"}]}`)
	created := domain.KindFact{Kind: "benchmark", Verb: domain.VerbCreated, Doc: doc}
	update := func(patch string) *domaintest.Outcome[domain.Resource] {
		return domaintest.Given(t, agg, created).When(domain.UpdateResource{Kind: catalogue.Benchmarks, Patch: docOf(t, patch)})
	}
	updated := func(doc string) domain.KindFact {
		return domain.KindFact{Kind: "benchmark", Verb: domain.VerbUpdated, Doc: docOf(t, doc)}
	}
	update(`{"connector":"con_2"}`).Then(updated(`{"connectors":[{"connector_id":"con_2","files":["b"],"target":"z"}]}`))
	update(`{"connector":"con_3","task":"u"}`).Then(updated(`{"connectors":[{"connector_id":"con_3","target":"y","features":["x"]}],"task":"u"}`))
	update(`{"connector":"con_3","connectors":[{"connector_id":"con_1"}]}`).ThenError(domain.CodeValidation, "connector")
	update(`{"connector":""}`).ThenError(domain.CodeValidation, "connector")
	update(`{"connectors":null,"metrics":null,"name":null}`).ThenError(domain.CodeValidation, "name", "metrics", "connectors")
}

// What a persona holds is sealed under its own id, and gone when that is erased.
func TestPersonasAreSealed(t *testing.T) {
	agg := domain.KindAggregate(catalogue.Personas.Spec())
	log := domaintest.NewLog()
	p := agg.New("per_1")
	for _, cmd := range []domain.Decider[domain.Resource]{
		domain.CreateResource{Kind: catalogue.Personas, Doc: catalogue.Personas.ExampleDoc()},
		domain.UpdateResource{Kind: catalogue.Personas, Patch: docOf(t, `{"notes":"called"}`)},
	} {
		if err := domaintest.Do(log, agg, "per_1", p, cmd); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range log.Events {
		if e.Meta.Subject != "per_1" {
			t.Errorf("%s is sealed for %q", e.Fact.EventType(), e.Meta.Subject)
		}
	}
	erased := agg.New("per_1")
	for _, e := range log.Erase("per_1") {
		agg.Apply(erased, e)
	}
	if !agg.Gone(erased) || len(erased.Doc) != 0 || !erased.Exists || erased.CreatedAt.IsZero() {
		t.Errorf("erased: %+v", erased)
	}
	err := domaintest.Do(log, agg, "per_1", erased, domain.UpdateResource{Kind: catalogue.Personas, Patch: docOf(t, `{"notes":"x"}`)})
	if domain.CodeOf(err) != domain.CodeGone {
		t.Errorf("an erased persona is changed: %v", err)
	}
	if err := domaintest.Do(log, agg, "per_1", erased, domain.DeleteResource{}); err != nil || !erased.Deleted {
		t.Errorf("an erased persona cannot be deleted: %v", err)
	}
}
