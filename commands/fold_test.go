package commands

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/agentrun"
	"strata/domain/argument"
	"strata/domain/budget"
	"strata/domain/catalogue"
	"strata/domain/claim"
	"strata/domain/cluster"
	"strata/domain/connector"
	"strata/domain/conversation"
	"strata/domain/evaluation"
	"strata/domain/identity"
	"strata/domain/insight"
	"strata/domain/knowledge"
	"strata/domain/memory"
	"strata/domain/personaupload"
	"strata/domain/secret"
	"strata/domain/session"
	"strata/domain/timer"
	"strata/domain/training"
	"strata/domain/workflowrun"
)

var update = flag.Bool("update", false, "write testdata/folds.json")

// aggregate is one kind of state with its examples, whatever its type.
type aggregate struct {
	category, fold string
	facts          []domain.Fact // one of each type, then what is left of it when it is erased
	// check folds a history once whole and once with a snapshot in between.
	check func(t rapid.TB, events []domain.Event, cut int)
	// states writes the state after each event of a history.
	states func(t rapid.TB, events []domain.Event) []byte
}

// rich are the aggregates that are no plain kinds.
func rich(t rapid.TB) []aggregate {
	t.Helper()
	all := []aggregate{
		describe(t, argument.Aggregate, "argument"), describe(t, insight.Aggregate, "insight"),
		describe(t, budget.Aggregate, "budget"), describe(t, cluster.Aggregate, "cluster"), describe(t, connector.Aggregate, "connector"), describe(t, conversation.Aggregate, "conversation"),
		describe(t, memory.Aggregate, "memory"), describe(t, timer.Aggregate, "timer"), describe(t, session.Aggregate, "session"), describe(t, identity.Organizations, "identity"),
		describe(t, identity.Workspaces, "identity"), describe(t, identity.Users, "identity"), describe(t, identity.APIKeys, "identity"), describe(t, identity.Invitations, "identity"),
		describe(t, secret.Aggregate, "secret"), describe(t, evaluation.Aggregate, "evaluation"), describe(t, training.Aggregate, "training"), describe(t, training.Models, "training"),
		describe(t, agentrun.Aggregate, "agentrun"), describe(t, workflowrun.Aggregate, "workflowrun"), describe(t, knowledge.Bases, "knowledge"), describe(t, knowledge.Documents, "knowledge"),
		describe(t, memory.Vectors, "memory"), describe(t, personaupload.Aggregate, "personaupload"),
	}
	claims := describe(t, claim.Aggregate, "")
	claims.facts = []domain.Fact{claim.Taken{Kind: "app", Name: "Support", Owner: "app_1"}, claim.Released{Owner: "app_1"}}
	return append(all, claims)
}

// plain stands for the plain kinds, which are all folded alike.
func plain(t rapid.TB) aggregate {
	t.Helper()
	return describeKind(t, &domain.KindSpec{Name: "thing", Prefix: "it", Versions: []string{"body"}}, domain.Doc{
		"name": json.RawMessage(`"Thing"`), "body": json.RawMessage(`"text"`), "size": json.RawMessage(`{"w": 1, "h": 2}`)})
}

func describeKind(t rapid.TB, spec *domain.KindSpec, example domain.Doc) aggregate {
	t.Helper()
	a := describe(t, domain.KindAggregate(spec), "")
	a.facts = kindFacts(spec.Name, example)
	return a
}

func describe[S any](t rapid.TB, agg *domain.Aggregate[S], folder string) aggregate {
	t.Helper()
	a := aggregate{category: agg.Category, fold: agg.Fold,
		check:  func(t rapid.TB, events []domain.Event, cut int) { checkSnapshot(t, agg, events, cut) },
		states: func(t rapid.TB, events []domain.Event) []byte { return statesOf(t, agg, events) },
	}
	if folder == "" {
		return a
	}
	for _, ft := range agg.Facts {
		b, err := os.ReadFile(filepath.Join("..", "domain", folder, "testdata", "events", ft.Name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, b); err != nil {
			t.Fatal(err)
		}
		f, err := ft.Decode(compact.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		a.facts = append(a.facts, f)
	}
	for _, f := range slices.Clone(a.facts) {
		if _, personal := f.(domain.PersonalFact); personal {
			a.facts = append(a.facts, domain.Erased{Type: f.EventType()})
		}
	}
	return a
}

// kindFacts are facts of a plain kind: its example, changed field by field.
func kindFacts(name string, doc domain.Doc) []domain.Fact {
	facts := []domain.Fact{
		domain.KindFact{Kind: name, Verb: domain.VerbCreated, Doc: doc},
		domain.KindFact{Kind: name, Verb: domain.VerbCloned, Doc: doc, Source: "it_0"},
		domain.KindFact{Kind: name, Verb: domain.VerbDeleted},
	}
	for _, field := range slices.Sorted(maps.Keys(doc)) {
		facts = append(facts,
			domain.KindFact{Kind: name, Verb: domain.VerbUpdated, Doc: domain.Doc{field: json.RawMessage("null")}, Changelog: "less"},
			domain.KindFact{Kind: name, Verb: domain.VerbRestored, Doc: domain.Doc{field: doc[field]}, Version: 1})
	}
	return facts
}

// history gives facts their places in a stream.
func history(category string, facts []domain.Fact) []domain.Event {
	start := time.Date(2026, 3, 14, 9, 26, 53, 123456000, time.UTC)
	events := make([]domain.Event, len(facts))
	for i, f := range facts {
		events[i] = domain.Event{
			ID: domain.DerivedEventID("test", fmt.Sprint(i), category, 0), Stream: domain.Stream(category, "it_1"), Revision: domain.Revision(i),
			Position: domain.Position(i + 1), Fact: f,
			Meta: domain.Metadata{Organization: "org_1", Workspace: "ws_1", Actor: fmt.Sprint("user_", i%3), OccurredAt: start.Add(time.Duration(i) * time.Hour)},
		}
		if i%2 == 0 {
			events[i].Meta.IdempotencyKey = fmt.Sprint(i)
		}
	}
	return events
}

func folded[S any](agg *domain.Aggregate[S], events []domain.Event) *entry[S] {
	e := &entry[S]{h: New(Config{}), agg: agg, id: "it_1"}
	e.clear()
	for _, ev := range events {
		e.fold(ev)
	}
	return e
}

func checkSnapshot[S any](t rapid.TB, agg *domain.Aggregate[S], events []domain.Event, cut int) {
	t.Helper()
	whole, resumed := folded(agg, events), folded(agg, nil)
	s, err := folded(agg, events[:cut]).picture()
	if err != nil {
		t.Fatalf("%s: %v", agg.Category, err)
	}
	if err := resumed.adopt(s); err != nil {
		t.Fatalf("%s: %v", agg.Category, err)
	}
	for _, ev := range events[cut:] {
		resumed.fold(ev)
	}
	// What the two say as JSON, as an answer would: no and an empty list are one.
	if a, b := marshal(t, whole.loaded), marshal(t, resumed.loaded); !bytes.Equal(a, b) {
		t.Fatalf("%s, snapshot after %d of %d events:\nwhole   %s\nresumed %s", agg.Category, cut, len(events), a, b)
	}
	if !reflect.DeepEqual(whole.keys, resumed.keys) || whole.last != resumed.last || !slices.Equal(whole.about, resumed.about) {
		t.Fatalf("%s, snapshot after %d of %d events: keys %v and %v, last %s and %s, about %v and %v", agg.Category, cut, len(events),
			whole.keys, resumed.keys, whole.last, resumed.last, whole.about, resumed.about)
	}
}

func statesOf[S any](t rapid.TB, agg *domain.Aggregate[S], events []domain.Event) []byte {
	t.Helper()
	var out bytes.Buffer
	e := folded(agg, nil)
	for _, ev := range events {
		e.fold(ev)
		out.Write(marshal(t, e.loaded.State))
	}
	return out.Bytes()
}

func marshal(t rapid.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever happened to an aggregate, and wherever its snapshot was taken: the
// state is the one that the whole history folds into.
func TestEveryStateComesBackFromItsSnapshot(t *testing.T) {
	all := rich(t)
	for _, k := range catalogue.All() {
		all = append(all, describeKind(t, k.Spec(), k.ExampleDoc()))
	}
	for _, a := range all {
		t.Run(a.category, func(t *testing.T) {
			a.check(t, history(a.category, a.facts), len(a.facts)) // at least once with everything
			rapid.Check(t, func(t *rapid.T) {
				facts := rapid.SliceOfN(rapid.SampledFrom(a.facts), 1, 30).Draw(t, "facts")
				a.check(t, history(a.category, facts), rapid.IntRange(1, len(facts)).Draw(t, "cut"))
			})
		})
	}
}

var (
	folding    = regexp.MustCompile(`(?s)&domain\.Aggregate\[\w+\]\{(.*?)\n\}`)
	categories = regexp.MustCompile(`Category:\s*"(\w+)"`)
)

// Every aggregate whose fold has a name is among those that are tested here.
func TestEveryFoldIsTested(t *testing.T) {
	tested := map[string]bool{}
	for _, a := range rich(t) {
		tested[a.category] = true
	}
	files, err := filepath.Glob("../domain/*/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range folding.FindAllSubmatch(text, -1) {
			category := categories.FindSubmatch(found[1])
			if bytes.Contains(found[1], []byte("Fold:")) && (category == nil || !tested[string(category[1])]) {
				t.Errorf("%s: the fold of %s is not tested", file, category)
			}
		}
	}
}

// A snapshot of an earlier program is good for as long as events fold into the
// same states. When this fails and the change is meant, give the aggregate
// another [domain.Aggregate.Fold] and run the test with -update.
func TestFoldsAreNamed(t *testing.T) {
	const file = "testdata/folds.json"
	got := map[string]map[string]string{} // category → fold → sum of the states
	for _, a := range append(rich(t), plain(t)) {
		facts := slices.Concat(a.facts, a.facts, a.facts[:1], a.facts)
		sum := sha256.Sum256(a.states(t, history(a.category, facts)))
		got[a.category] = map[string]string{a.fold: hex.EncodeToString(sum[:8])}
		if a.fold == "" {
			t.Errorf("the fold of %s has no name", a.category)
		}
	}
	known := map[string]map[string]string{}
	if b, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(b, &known); err != nil {
			t.Fatal(err)
		}
	}
	for category, folds := range got {
		for fold, sum := range folds {
			if was, ok := known[category][fold]; ok && was != sum {
				t.Errorf("%s folds other than before, and its fold is still called %q", category, fold)
			} else if !ok && !*update {
				t.Errorf("the fold %q of %s is not in %s; run with -update", fold, category, file)
			}
		}
	}
	if !*update || t.Failed() {
		return
	}
	b, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
