package domaintest

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"strata/domain"
)

// Now is the time at which scenarios decide.
var Now = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// Subject is the id of the aggregate that scenarios are about.
const Subject = "it_1"

// Who acts in scenarios, and for which tenant.
const (
	Actor        = "user_ann"
	Organization = "org_acme"
	Workspace    = "ws_main"
)

// Scenario is a history that a command is going to be tried on.
type Scenario[S any] struct {
	t       testing.TB
	agg     *domain.Aggregate[S]
	history []domain.Fact
	id      string
}

// Given begins a scenario with what has happened so far.
func Given[S any](t testing.TB, agg *domain.Aggregate[S], history ...domain.Fact) *Scenario[S] {
	t.Helper()
	return &Scenario[S]{t: t, agg: agg, history: history, id: Subject}
}

// Of sets the aggregate's id, for rules that depend on it.
func (s *Scenario[S]) Of(id string) *Scenario[S] { s.id = id; return s }

// State folds the history.
func (s *Scenario[S]) State() *S { return Fold(s.agg, s.id, s.history...) }

// When decides a command on the history. It fails the test when the decision
// changed the state it was given, which would poison a cached state.
func (s *Scenario[S]) When(cmd domain.Decider[S]) *Outcome[S] {
	s.t.Helper()
	state := s.State()
	ids := counter()
	env := domain.NewEnv(Now, domain.Principal{Actor: Actor, Organization: Organization, Workspace: Workspace}, ids)
	facts, err := cmd.Decide(env, state)
	if !reflect.DeepEqual(state, s.State()) {
		s.t.Errorf("%T changed the state it decided on", cmd)
	}
	return &Outcome[S]{scenario: s, facts: facts, err: err}
}

// Outcome is what a command decided.
type Outcome[S any] struct {
	scenario *Scenario[S]
	facts    []domain.Fact
	err      error
}

// Then expects exactly these facts.
func (o *Outcome[S]) Then(want ...domain.Fact) *Outcome[S] {
	t := o.scenario.t
	t.Helper()
	if o.err != nil {
		t.Fatalf("refused: %v", o.err)
	}
	if len(want) == 0 && len(o.facts) == 0 {
		return o
	}
	if !reflect.DeepEqual(o.facts, want) {
		t.Errorf("decided\n%s\nwant\n%s", show(o.facts), show(want))
	}
	return o
}

// ThenNothing expects that nothing happens, without an error.
func (o *Outcome[S]) ThenNothing() { o.scenario.t.Helper(); o.Then() }

// ThenError expects a refusal with a code that names exactly these fields.
func (o *Outcome[S]) ThenError(code domain.Code, fields ...string) {
	t := o.scenario.t
	t.Helper()
	if o.err == nil {
		t.Fatalf("decided %s, want an error of code %s", show(o.facts), code)
	}
	e, ok := errors.AsType[*domain.Error](o.err)
	if !ok {
		t.Fatalf("error %v (%T), want a *domain.Error of code %s", o.err, o.err, code)
	}
	if e.Code != code {
		t.Errorf("code %s (%v), want %s", e.Code, e, code)
	}
	var got []string
	for _, f := range e.Fields {
		got = append(got, f.Field)
	}
	if !slices.Equal(got, fields) {
		t.Errorf("faulty fields %v, want %v", got, fields)
	}
}

// State folds the history and what was decided.
func (o *Outcome[S]) State() *S {
	o.scenario.t.Helper()
	if o.err != nil {
		o.scenario.t.Fatalf("refused: %v", o.err)
	}
	return Fold(o.scenario.agg, o.scenario.id, slices.Concat(o.scenario.history, o.facts)...)
}

// Fold makes the state of an aggregate from facts, a second apart, the first
// an hour before [Now].
func Fold[S any](agg *domain.Aggregate[S], id string, facts ...domain.Fact) *S {
	s := agg.New(id)
	for i, f := range facts {
		agg.Apply(s, domain.Event{
			Stream: agg.Stream(id), Revision: domain.Revision(i), Position: domain.Position(i + 1), Fact: f,
			Meta: domain.Metadata{Actor: Actor, Organization: Organization, Workspace: Workspace, OccurredAt: At(i)},
		})
	}
	return s
}

// At is when the i-th fact of a scenario's history happened.
func At(i int) time.Time { return Now.Add(-time.Hour).Add(time.Duration(i) * time.Second) }

func show(facts []domain.Fact) string {
	var out []byte
	for _, f := range facts {
		b, err := json.Marshal(f)
		if err != nil {
			b = []byte(err.Error())
		}
		out = append(out, "  "+f.EventType()+" "...)
		out = append(append(out, b...), '\n')
	}
	if out == nil {
		return "  nothing"
	}
	return string(out)
}
