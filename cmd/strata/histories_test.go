package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
	"strata/domain/catalogue"
	"strata/domain/conversation"
	"strata/domain/identity"
	"strata/domain/inference"
	"strata/domain/memory"
	"strata/domain/session"
	"strata/projections/projectionstest"
	"strata/streams"
)

// author makes histories: it runs random commands of every aggregate, good ones
// and refused ones, as several tenants and users would.
type author struct {
	t         *testing.T
	random    *rand.Rand
	log       *projectionstest.Log
	codec     *streams.Codec
	handler   *commands.Handler
	resources *commands.Resources
	now       time.Time
	ids       map[string][]string // of what was made, by kind
	turns     map[string]string   // the open turn of a conversation
	keys      *ring
	erasures  *commands.Erasures
	erased    []erasure // in order
}

// plainSealer stands in for the key that providers' credentials are sealed with.
type plainSealer struct{}

func (plainSealer) Seal(text string) (string, error) { return "sealed:" + text, nil }

func newAuthor(t *testing.T, random *rand.Rand) *author {
	t.Helper()
	keys := newRing()
	codec, err := newCodec(keys)
	if err != nil {
		t.Fatal(err)
	}
	a := &author{t: t, random: random, log: projectionstest.NewLog(), keys: keys, codec: codec, ids: map[string][]string{}, turns: map[string]string{},
		now: time.Date(2026, 1, 30, 22, 0, 0, 0, time.UTC)}
	a.handler, a.resources = newCommands(commands.Config{Store: a.log, Codec: codec, Now: func() time.Time { return a.now }}, plainSealer{})
	a.erasures = commands.NewErasures(commands.ErasuresConfig{Handler: a.handler, Keys: keys, Places: []commands.Place{
		{Name: "states", Forget: a.forgetStates},
		{Name: "read models", Forget: func(_ context.Context, f commands.Forgotten) error {
			a.erased = append(a.erased, erasure{f, keys.destroyed()})
			return nil
		}},
	}})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = a.erasures.Run(ctx) }) // ends with the test
	t.Cleanup(func() { cancel(); running.Wait() })
	return a
}

// write runs n random commands.
func (a *author) write(n int) {
	acts := []func(context.Context) error{a.plain, a.plain, a.session, a.session, a.memory, a.budget, a.budget, a.conversation,
		a.conversation, a.tenancy, a.user, a.apiKey, a.call, a.erase}
	for range n {
		a.now = a.now.Add(time.Duration(a.random.IntN(int(3 * time.Hour)))) // days pass, budgets roll over
		err := acts[a.random.IntN(len(acts))](a.t.Context())
		if _, refused := errors.AsType[*domain.Error](err); err != nil && (!refused || domain.CodeOf(err) == domain.CodeInternal) {
			a.t.Fatalf("a command failed: %v", err)
		}
	}
}

func (a *author) who() domain.Principal {
	n := a.random.IntN(3)
	p := domain.System(fmt.Sprintf("org_%d", n/2), fmt.Sprintf("ws_%d", n))
	p.Actor = a.pick("user_ann", "user_bob", "key_1")
	return p
}

func (a *author) pick(of ...string) string { return of[a.random.IntN(len(of))] }

// some is the id of something that was made, maybe long deleted.
func (a *author) some(kind string) string {
	ids := a.ids[kind]
	if len(ids) == 0 {
		return kind + "_none"
	}
	return ids[a.random.IntN(len(ids))]
}

func (a *author) doc(v any) domain.Doc {
	text, err := json.Marshal(v)
	if err != nil {
		a.t.Fatal(err)
	}
	var d domain.Doc
	if err := json.Unmarshal(text, &d); err != nil {
		a.t.Fatal(err)
	}
	return d
}

// name is one of a few, so that names are taken, given up and taken again.
func (a *author) name() string {
	return a.pick("alpha", "Alpha", "beta", "gamma", "délta", "épsilon 5")
}

// issue runs a command of an aggregate, creating it now and then.
func issue[S any](ctx context.Context, a *author, agg *domain.Aggregate[S], create domain.Decider[S], others ...domain.Decider[S]) error {
	req := commands.Request{Principal: a.who(), ID: a.some(agg.Category)}
	cmd := create
	if i := a.random.IntN(len(others) + 2); i < len(others) && len(a.ids[agg.Category]) > 0 {
		cmd = others[i]
	} else {
		req.ID, req.Create = "", true
	}
	if a.random.IntN(10) == 0 {
		req.IdempotencyKey, req.Route = a.pick("k1", "k2"), fmt.Sprintf("%T %s", cmd, req.ID) // a retry now and then
	}
	out, err := commands.Run[S, struct{}](ctx, a.handler, agg, req, cmd, nil)
	if err == nil && req.Create {
		a.ids[agg.Category] = append(a.ids[agg.Category], out.ID)
	}
	return err
}

func (a *author) plain(ctx context.Context) error {
	k := catalogue.All()[a.random.IntN(len(catalogue.All()))]
	spec := k.Spec()
	req := commands.Request{Principal: a.who(), ID: a.some(spec.Name)}
	note := a.doc(map[string]any{"description": fmt.Sprint("note ", a.random.IntN(5))})
	var out commands.Outcome[commands.Document]
	var err error
	switch a.random.IntN(6) {
	case 0, 1:
		doc := k.ExampleDoc().Merge(a.doc(map[string]any{spec.Key: strings.ReplaceAll(a.name(), " ", "-")}))
		req.ID, req.Create = "", true
		out, err = a.resources.Create(ctx, k, req, doc)
	case 2:
		_, err = a.resources.Update(ctx, k, req, note, "a note")
	case 3: // another name, where that may change
		_, err = a.resources.Update(ctx, k, req, a.doc(map[string]any{spec.Key: a.name()}), "")
	case 4:
		_, err = a.resources.Delete(ctx, k, req)
	case 5:
		source := req.ID
		req.ID, req.Create = "", true
		out, err = a.resources.Clone(ctx, k, req, source, note)
	}
	if err == nil && out.ID != "" {
		a.ids[spec.Name] = append(a.ids[spec.Name], out.ID)
	}
	return err
}

func (a *author) session(ctx context.Context) error {
	state := a.doc(map[string]any{a.pick("x", "y", "app:z"): a.random.IntN(9)})
	return issue(ctx, a, session.Aggregate,
		session.Create{AppName: a.name(), UserID: a.pick("", "ann", "bob"), State: state},
		session.AddEvent{Author: "user", Content: json.RawMessage(fmt.Sprintf(`{"text":"turn %d"}`, a.random.IntN(100))), StateDelta: state},
		session.AddEvent{Author: "agent", Type: session.ToolCall, Content: json.RawMessage(`{"tool":"t"}`)},
		session.AddEvent{Author: "agent", Content: json.RawMessage(`{"text":"answer"}`)},
		session.Close{}, session.Delete{})
}

func (a *author) memory(ctx context.Context) error {
	return issue(ctx, a, memory.Aggregate,
		memory.Add{Fields: memory.Fields{Content: "likes " + a.name(), UserID: a.pick("ann", "bob")}},
		memory.Revise{Patch: a.doc(map[string]any{"content": "prefers " + a.name()})},
		memory.Revise{Patch: a.doc(map[string]any{"metadata": map[string]any{"n": a.random.IntN(5)}})},
		memory.Forget{})
}

func (a *author) budget(ctx context.Context) error {
	const dollar = domain.Money(1_000_000)
	name, limit, tokens := a.name(), domain.Money(a.random.IntN(50))*dollar, int64(a.random.IntN(3)*1000)
	period := []budget.Period{budget.Daily, budget.Weekly, budget.Monthly, budget.Total}[a.random.IntN(4)]
	reservation := fmt.Sprintf("res_%d", a.random.IntN(30))
	return issue(ctx, a, budget.Aggregate,
		budget.Create{Name: name, ScopeType: "workspace", Limit: limit, LimitTokens: tokens, Period: period, Soft: a.random.IntN(3) == 0},
		budget.Reserve{ID: reservation, Amount: dollar, Tokens: 10, TTL: time.Hour},
		budget.Reserve{ID: reservation, Amount: dollar, Tokens: 10, TTL: time.Hour},
		budget.Settle{ID: reservation, Amount: dollar / 2, Tokens: 7},
		budget.Release{ID: reservation}, budget.Sweep{}, budget.Clear{Reason: "again"},
		budget.Change{Name: &name, Limit: &limit, Period: &period}, budget.Delete{})
}

func (a *author) conversation(ctx context.Context) error {
	id := a.some(conversation.Aggregate.Category)
	turn := a.turns[id]
	if turn == "" {
		turn = domain.NewID("run")
		a.turns[id] = turn
	} else if a.random.IntN(2) == 0 {
		delete(a.turns, id)
	}
	return issue(ctx, a, conversation.Aggregate,
		conversation.Start{AppID: "app_1", Model: "strata/extract-1", UserID: a.pick("ann", "bob")},
		conversation.Ask{RunID: turn, Content: "what about " + a.name()},
		conversation.Ask{RunID: turn, Content: "what about " + a.name()},
		conversation.Answer{RunID: turn, Content: "this", Cost: 12, Model: "strata/extract-1"},
		conversation.FailTurn{RunID: turn, Code: domain.CodeAIService, Message: "no answer", PartialContent: a.pick("", "part")},
		conversation.GiveFeedback{Rating: conversation.Negative, Comment: "meh"},
		conversation.Rename{Title: a.name()}, conversation.Delete{})
}

func (a *author) tenancy(ctx context.Context) error {
	name, status := a.name(), []identity.Status{identity.StatusActive, identity.StatusArchived}[a.random.IntN(2)]
	if a.random.IntN(2) == 0 {
		return issue(ctx, a, identity.Organizations, identity.CreateOrganization{Name: name},
			identity.UpdateOrganization{Name: &name}, identity.SuspendOrganization{Reason: "unpaid"}, identity.ReinstateOrganization{})
	}
	return issue(ctx, a, identity.Workspaces, identity.CreateWorkspace{Name: name},
		identity.UpdateWorkspace{Name: &name}, identity.UpdateWorkspace{Status: &status}, identity.DeleteWorkspace{})
}

func (a *author) user(ctx context.Context) error {
	first, role := a.name(), []identity.Role{identity.Admin, identity.Member, identity.Viewer}[a.random.IntN(3)]
	return issue(ctx, a, identity.Users,
		identity.CreateUser{Email: a.pick("a", "b", "c") + "@example.com", FirstName: first, Role: role},
		identity.UpdateUser{FirstName: &first}, identity.UpdateUser{Role: &role}, identity.RemoveUser{})
}

func (a *author) apiKey(ctx context.Context) error {
	name := a.name()
	digits := fmt.Sprintf("%016x", a.random.Uint64())
	hash := strings.Repeat(digits, 4)
	return issue(ctx, a, identity.APIKeys,
		identity.CreateAPIKey{Name: name, WorkspaceID: "ws_1", OwnerID: a.some(identity.Users.Category), Prefix: "sk_" + digits[:8], SecretHash: hash},
		identity.UpdateAPIKey{Name: &name}, identity.RotateAPIKey{Prefix: "sk_" + digits[8:], SecretHash: hash}, identity.RevokeAPIKey{})
}

// call records a model call, which nobody decides.
func (a *author) call(ctx context.Context) error {
	p := a.who()
	c := inference.Recorded{ID: domain.NewID("inf"), StartedAt: a.now, Organization: p.Organization, Workspace: p.Workspace, Type: "chat",
		Model: "strata/extract-1", Status: inference.Success, InputTokens: 5, OutputTokens: 3, Cost: 11}
	return recorder{store: a.log, codec: a.codec}.Record(ctx, c, &inference.PayloadRecorded{ID: c.ID, Subject: "ann", Request: json.RawMessage(`{}`)})
}
