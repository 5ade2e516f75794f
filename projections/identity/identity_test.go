package identity_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/identity"
	"strata/projections"
	model "strata/projections/identity"
	"strata/projections/projectionstest"
	"strata/projections/query"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is a minute after the first event of a world.
var now = projectionstest.Meta("", 60).OccurredAt

var hash = strings.Repeat("ab", 32)

// world is a model that runs over a log.
type world struct {
	testing.TB
	log    *projectionstest.Log
	codec  *streams.Codec
	runner *projections.Runner
	*model.Queries
	second int
}

func newWorld(t testing.TB, keys streams.Keys) *world {
	t.Helper()
	codec, err := streams.NewCodec(slices.Concat(identity.Organizations.Facts, identity.Workspaces.Facts, identity.Users.Facts, identity.APIKeys.Facts), nil, keys)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, log: projectionstest.NewLog(), codec: codec}
	w.runner = projectionstest.Start(t, w.log, codec, model.Model{})
	db, err := w.runner.Reader(model.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.Queries = model.NewQueries(db, func() time.Time { return now })
	return w
}

// given writes facts of "<category>-<id>".
func (w *world) given(stream string, facts ...domain.Fact) {
	w.Helper()
	w.second++
	w.log.Write(w.TB, w.codec, domain.StreamID(stream), projectionstest.Meta("", w.second), facts...)
}

func (w *world) caughtUp() {
	w.Helper()
	projectionstest.WaitFor(w.TB, w.runner, w.log, model.Name)
}

// acme fills a world with one organization and something of another.
func acme(w *world) {
	w.given("organization-org_1", identity.OrganizationCreated{Name: "Acme", Slug: "acme", Plan: identity.Pro, Settings: domain.Doc{"k": json.RawMessage("1")}})
	w.given("workspace-ws_1", identity.WorkspaceCreated{OrganizationID: "org_1", Name: "Main", Slug: "main"})
	w.given("workspace-ws_2", identity.WorkspaceCreated{OrganizationID: "org_1", Name: "Old", Slug: "old"}, identity.WorkspaceArchived{})
	w.given("workspace-ws_3", identity.WorkspaceCreated{OrganizationID: "org_1", Name: "Gone", Slug: "gone"}, identity.WorkspaceDeleted{})
	w.given("workspace-ws_4", identity.WorkspaceCreated{OrganizationID: "org_2", Name: "Main", Slug: "main"})
	user := func(id, org, email string, role identity.Role) identity.UserCreated {
		return identity.UserCreated{UserID: id, OrganizationID: org, Email: email, FirstName: strings.Split(email, "@")[0], Role: role, Status: identity.StatusActive}
	}
	w.given("user-user_ann", user("user_ann", "org_1", "ann@acme.com", identity.Owner))
	w.given("user-user_bob", user("user_bob", "org_1", "bob@acme.com", identity.Member), identity.UserSuspended{})
	w.given("user-user_cat", user("user_cat", "org_1", "cat@acme.com", identity.Member), identity.UserRemoved{})
	w.given("user-user_dan", user("user_dan", "org_2", "dan@other.com", identity.Owner))
	key := func(name, org, ws, owner string) identity.APIKeyCreated {
		return identity.APIKeyCreated{Name: name, OrganizationID: org, WorkspaceID: ws, OwnerID: owner, Type: identity.UserKey,
			RateLimitTier: identity.Free, Prefix: "prefix" + name, SecretHash: hash}
	}
	w.given("api_key-key_1", key("One", "org_1", "ws_1", "user_ann"))
	w.given("api_key-key_2", key("Two", "org_1", "ws_2", "user_bob"), identity.APIKeyRevoked{})
	w.given("api_key-key_3", key("Three", "org_1", "ws_1", "user_bob"), identity.APIKeyExpiryChanged{ExpiresAt: now})
	w.given("api_key-key_4", key("Four", "org_2", "ws_4", "user_dan"))
	w.caughtUp()
}

func ids[S any](r query.Result[model.Of[S]]) string {
	out := []string{}
	for _, item := range r.Items {
		out = append(out, reflect.ValueOf(item.State).FieldByName("ID").String())
	}
	return fmt.Sprint(out)
}

func TestLists(t *testing.T) {
	w := newWorld(t, nil)
	acme(w)
	ctx := t.Context()
	check := func(what, got string, err error, want string) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", what, got, err, want)
		}
	}
	workspaces := func(n model.Narrow, p query.Page) (string, error) {
		r, err := w.Workspaces(ctx, "org_1", n, p)
		return ids(r), err
	}
	users := func(n model.Narrow) (string, error) {
		r, err := w.Users(ctx, "org_1", n, query.Page{})
		return ids(r), err
	}
	keys := func(f model.KeyFilter) (string, error) {
		f.Organization = "org_1"
		r, err := w.APIKeys(ctx, f, query.Page{})
		return ids(r), err
	}
	got, err := workspaces(model.Narrow{}, query.Page{Desc: true})
	check("workspaces", got, err, "[ws_2 ws_1]")
	got, err = workspaces(model.Narrow{}, query.Page{After: "ws_1"})
	check("workspaces after one", got, err, "[ws_2]")
	got, err = workspaces(model.Narrow{Status: "archived"}, query.Page{})
	check("archived workspaces", got, err, "[ws_2]")
	got, err = workspaces(model.Narrow{Search: "MAI"}, query.Page{})
	check("workspaces by name", got, err, "[ws_1]")
	got, err = users(model.Narrow{})
	check("users", got, err, "[user_ann user_bob]")
	got, err = users(model.Narrow{Role: "owner"})
	check("owners", got, err, "[user_ann]")
	got, err = users(model.Narrow{Status: "suspended"})
	check("suspended users", got, err, "[user_bob]")
	got, err = users(model.Narrow{Search: "bo"})
	check("users by name", got, err, "[user_bob]")
	got, err = users(model.Narrow{Email: " Ann@acme.com"})
	check("user by address", got, err, "[user_ann]")
	for want, f := range map[string]model.KeyFilter{
		"[key_1 key_2 key_3]": {},
		"[key_1]":             {Status: "active"},
		"[key_2]":             {Status: "revoked"},
		"[key_3]":             {Status: "expired"},
		"[key_1 key_3]":       {Workspace: "ws_1"},
		"[key_2 key_3]":       {Owner: "user_bob"},
		"[]":                  {Type: "service"},
	} {
		got, err = keys(f)
		check(fmt.Sprintf("keys %+v", f), got, err, want)
	}
	for _, err := range []error{
		second(workspaces(model.Narrow{Status: "odd"}, query.Page{})), second(users(model.Narrow{Status: "removed"})),
		second(users(model.Narrow{Role: "king"})), second(keys(model.KeyFilter{Status: "odd"})), second(keys(model.KeyFilter{Type: "odd"})),
	} {
		if domain.CodeOf(err) != domain.CodeValidation {
			t.Errorf("a filter that can match nothing: %v", err)
		}
	}
	all, err := w.Organizations(ctx, query.Page{})
	check("organizations", ids(all), err, "[org_1]")
	if n, err := w.MemberCount(ctx, "org_1"); err != nil || n != 2 {
		t.Errorf("%d members, %v", n, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestGet(t *testing.T) {
	w := newWorld(t, nil)
	acme(w)
	ctx := t.Context()
	if o, err := w.Organization(ctx, "org_1"); err != nil || o.State.Plan != identity.Pro || string(o.State.Settings["k"]) != "1" {
		t.Errorf("organization %+v, %v", o, err)
	}
	if ws, err := w.Workspace(ctx, "org_1", "ws_2"); err != nil || ws.State.Status != identity.StatusArchived || ws.Revision != 1 {
		t.Errorf("workspace %+v, %v", ws, err)
	}
	if u, err := w.User(ctx, "org_1", "user_bob"); err != nil || u.State.Name() != "bob" {
		t.Errorf("user %+v, %v", u, err)
	}
	if k, err := w.APIKey(ctx, "org_1", "key_3"); err != nil || k.State.StatusAt(now) != identity.StatusExpired {
		t.Errorf("key %+v, %v", k, err)
	}
	for what, err := range map[string]error{
		"organization":            second(w.Organization(ctx, "org_9")),
		"deleted workspace":       second(w.Workspace(ctx, "org_1", "ws_3")),
		"another's workspace":     second(w.Workspace(ctx, "org_1", "ws_4")),
		"removed user":            second(w.User(ctx, "org_1", "user_cat")),
		"another's user":          second(w.User(ctx, "org_1", "user_dan")),
		"another's key":           second(w.APIKey(ctx, "org_1", "key_4")),
		"key that does not exist": second(w.APIKey(ctx, "org_1", "key_9")),
	} {
		if domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestKeyByPrefix(t *testing.T) {
	w := newWorld(t, nil)
	acme(w)
	w.given("api_key-key_5", identity.APIKeyCreated{Name: "again", OrganizationID: "org_1", WorkspaceID: "ws_1", OwnerID: "user_ann", Prefix: "prefixTwo", SecretHash: hash})
	w.given("api_key-key_1", identity.APIKeyRotated{Prefix: "prefixNew", SecretHash: hash})
	w.caughtUp()
	for prefix, want := range map[string]struct {
		id string
		ok bool // whether the credential works
	}{
		"prefixNew":   {"key_1", true},
		"prefixTwo":   {"key_5", true},  // a revoked one has the same prefix
		"prefixThree": {"key_3", false}, // expired, and its owner is suspended
		"prefixFour":  {"key_4", false}, // its organization is not known
	} {
		c, found, err := w.KeyByPrefix(t.Context(), prefix)
		if err != nil || !found || c.ID != want.id || (c.Check(now) == nil) != want.ok {
			t.Errorf("%s: %+v, %v, %v; works: %v", prefix, c, found, err, c.Check(now))
		}
	}
	c, _, _ := w.KeyByPrefix(t.Context(), "prefixNew")
	if p := c.Principal(); p.Role != "owner" || !p.Can("users:delete") || p.Workspace != "ws_1" || p.Organization != "org_1" {
		t.Errorf("principal %+v", p)
	}
	for _, gone := range []string{"prefixOne", "", "nope"} {
		if _, found, err := w.KeyByPrefix(t.Context(), gone); found || err != nil {
			t.Errorf("%q: %v, %v", gone, found, err)
		}
	}
}

func TestRebuild(t *testing.T) {
	w := newWorld(t, nil)
	acme(w)
	for i := range 60 {
		w.given("organization-org_1", identity.OrganizationRenamed{Name: fmt.Sprint("Acme ", i), Slug: "acme"})
		w.given("user-user_ann", identity.UserProfileChanged{UserID: "user_ann", Email: fmt.Sprintf("a%d@acme.com", i)})
		w.given(fmt.Sprintf("api_key-key_n%d", i%9), identity.APIKeyCreated{Name: fmt.Sprint(i), OrganizationID: "org_1", Prefix: fmt.Sprint(i)})
	}
	projectionstest.CheckRebuild(t, w.codec, model.Model{}, w.log)
}

// The rows of any history equal the fold of the aggregate.
func TestRowsEqualTheFold(t *testing.T) {
	w, round := newWorld(t, nil), 0
	rapid.Check(t, func(rt *rapid.T) {
		round++ // histories share the model, which is slow to start
		user, key := fmt.Sprintf("user_%d", round), fmt.Sprintf("key_%d", round)
		log, u, k := domaintest.NewLog(), identity.Users.New(user), identity.APIKeys.New(key)
		for range rapid.IntRange(1, 20).Draw(rt, "commands") {
			// A refusal is a fine outcome.
			switch rapid.IntRange(0, 7).Draw(rt, "command") {
			case 0, 1:
				_ = domaintest.Do(log, identity.Users, user, u, identity.CreateUser{Email: "bob@example.com"})
			case 2:
				_ = domaintest.Do(log, identity.Users, user, u, identity.UpdateUser{Role: new(identity.Admin), LastName: new("Builder")})
			case 3:
				_ = domaintest.Do(log, identity.Users, user, u, identity.RemoveUser{})
			case 4, 5:
				_ = domaintest.Do(log, identity.APIKeys, key, k, identity.CreateAPIKey{Name: "k", WorkspaceID: "ws_1", OwnerID: user, Prefix: key, SecretHash: hash})
			case 6:
				_ = domaintest.Do(log, identity.APIKeys, key, k, identity.UpdateAPIKey{Scopes: &[]string{"apps:*"}, ExpiresAt: new(domaintest.Now.Add(time.Hour))})
			case 7:
				_ = domaintest.Do(log, identity.APIKeys, key, k, identity.RevokeAPIKey{})
			}
		}
		for _, e := range log.Events {
			w.log.Write(t, w.codec, e.Stream, e.Meta, e.Fact)
		}
		w.caughtUp()
		row, err := w.User(t.Context(), domaintest.Organization, user)
		if gone := u.Status == "" || u.Status == identity.StatusRemoved; gone != (domain.CodeOf(err) == domain.CodeNotFound && err != nil) {
			rt.Fatalf("user %+v: %v", u, err)
		} else if !gone && !reflect.DeepEqual(row.State, *u) {
			rt.Fatalf("row %+v, fold %+v", row.State, *u)
		}
		held, err := w.APIKey(t.Context(), domaintest.Organization, key)
		if (k.Status == "") != (err != nil) || err == nil && !reflect.DeepEqual(held.State, *k) {
			rt.Fatalf("row %+v, fold %+v, %v", held.State, *k, err)
		}
	})
}

// erased is a key store whose keys are destroyed.
type erased struct{}

func (erased) Seal(dst []byte, _ streams.Subject, _, data []byte) ([]byte, error) {
	return append(dst, data...), nil
}
func (erased) Open(streams.Subject, []byte, []byte) ([]byte, error) { return nil, streams.ErrErased }

// A person who was erased is not listed, and their keys do not work.
func TestErasure(t *testing.T) {
	w := newWorld(t, erased{})
	acme(w)
	if r, err := w.Users(t.Context(), "org_1", model.Narrow{}, query.Page{}); err != nil || len(r.Items) > 0 {
		t.Errorf("users %+v, %v", r, err)
	}
	c, found, err := w.KeyByPrefix(t.Context(), "prefixOne")
	if err != nil || !found || c.Check(now) == nil {
		t.Errorf("the key of an erased user works: %+v, %v", c, err)
	}
}

func BenchmarkKeyByPrefix(b *testing.B) {
	w := newWorld(b, nil)
	acme(w)
	for b.Loop() {
		if _, found, err := w.KeyByPrefix(b.Context(), "prefixOne"); err != nil || !found {
			b.Fatal(found, err)
		}
	}
}
