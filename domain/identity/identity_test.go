package identity_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/identity"
)

var hash = strings.Repeat("ab", 32)

// The histories most scenarios begin with.
var (
	orgCreated = identity.OrganizationCreated{Name: "Acme Ltd", Slug: "acme-ltd", Plan: identity.Pro, Settings: domain.Doc{"region": raw(`"eu"`)}}
	wsCreated  = identity.WorkspaceCreated{OrganizationID: domaintest.Organization, Name: "Main", Slug: "main", Description: "all of it"}
	bobCreated = identity.UserCreated{UserID: domaintest.Subject, OrganizationID: domaintest.Organization, Email: "bob@example.com",
		FirstName: "Bob", LastName: "Builder", Role: identity.Member, Status: identity.StatusActive}
	keyCreated = identity.APIKeyCreated{OrganizationID: domaintest.Organization, WorkspaceID: "ws_main", AppID: "app_1", OwnerID: "user_bob",
		Name: "site", Type: identity.AppKey, Scopes: []string{"models:invoke"}, RateLimitTier: identity.Pro,
		Prefix: "abcdefghijkl", SecretHash: hash, ExpiresAt: domaintest.Now.Add(time.Hour)}
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestGolden(t *testing.T) {
	types := slices.Concat(identity.Organizations.Facts, identity.Workspaces.Facts, identity.Users.Facts, identity.APIKeys.Facts, identity.Invitations.Facts)
	domaintest.Golden(t, types,
		orgCreated, identity.OrganizationRenamed{Name: "Acme", Slug: "acme"}, identity.OrganizationSettingsChanged{Changed: domain.Doc{"region": raw("null")}},
		identity.OrganizationPlanChanged{Plan: identity.Enterprise}, identity.OrganizationSuspended{Reason: "unpaid"}, identity.OrganizationReinstated{},
		wsCreated, identity.WorkspaceRenamed{Name: "Other", Slug: "other"}, identity.WorkspaceDescribed{Description: "more"},
		identity.WorkspaceArchived{}, identity.WorkspaceReinstated{}, identity.WorkspaceDeleted{}, identity.WorkspaceRestored{},
		bobCreated, identity.UserProfileChanged{UserID: "user_bob", Email: "b@example.com", FirstName: "B", LastName: "Builder"},
		identity.UserRoleChanged{Role: identity.Admin}, identity.UserActivated{}, identity.UserSuspended{}, identity.UserRemoved{},
		identity.UserDisciplineChosen{Discipline: identity.Developer}, benchmarksGranted, invited, identity.InvitationAccepted{UserID: "user_bob"},
		keyCreated, identity.APIKeyRenamed{Name: "shop"}, identity.APIKeyScopesChanged{Scopes: []string{"sessions:list"}},
		identity.APIKeyTierChanged{RateLimitTier: identity.Enterprise}, identity.APIKeyExpiryChanged{ExpiresAt: domaintest.Now},
		identity.APIKeyRotated{Prefix: "mnopqrstuvwx", SecretHash: hash}, identity.APIKeyRevoked{},
	)
}

func TestSlug(t *testing.T) {
	for name, slug := range map[string]string{
		"Acme Ltd": "acme-ltd", "  R&D / Labs ": "r-d-labs", "Übung 1": "bung-1", "你好": "",
		strings.Repeat("ab ", 40): strings.TrimRight(strings.Repeat("ab-", 21), "-"),
	} {
		if got := identity.Slug(name); got != slug {
			t.Errorf("Slug(%q) = %q, want %q", name, got, slug)
		}
	}
}

// Any commands on the four aggregates: nothing panics, every refusal has a
// reason, what is over stays over, and updating twice is updating once.
func TestAnyCommands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := domaintest.NewLog()
		org, ws := identity.Organizations.New("org_1"), identity.Workspaces.New("ws_1")
		user, key := identity.Users.New("user_1"), identity.APIKeys.New("key_1")
		for range rapid.IntRange(1, 40).Draw(t, "commands") {
			switch rapid.IntRange(0, 3).Draw(t, "aggregate") {
			case 0:
				try(t, log, identity.Organizations, org, anyOrganizationCommand(t))
			case 1:
				over := ws.Status == identity.StatusDeleted
				wrote := try(t, log, identity.Workspaces, ws, anyWorkspaceCommand(t))
				mustNot(t, over && wrote, "a deleted workspace changed")
			case 2:
				over := user.Status == identity.StatusRemoved
				wrote := try(t, log, identity.Users, user, anyUserCommand(t))
				mustNot(t, over && wrote, "a removed user changed")
			case 3:
				over := key.Status == identity.StatusRevoked
				wrote := try(t, log, identity.APIKeys, key, anyKeyCommand(t))
				mustNot(t, over && wrote, "a revoked key changed")
			}
		}
	})
}

func mustNot(t *rapid.T, bad bool, what string) {
	if bad {
		t.Fatal(what)
	}
}

// try runs a command, and again: the second time must change nothing, unless
// the command is one that makes something new each time.
func try[S any](t *rapid.T, log *domaintest.Log, agg *domain.Aggregate[S], s *S, cmd domain.Decider[S]) (wrote bool) {
	id := reflect.ValueOf(s).Elem().FieldByName("ID").String()
	before := len(log.Events)
	if err := domaintest.Do(log, agg, id, s, cmd); err != nil {
		mustNot(t, domain.CodeOf(err) == domain.CodeInternal, "refused without a reason a client could read: "+err.Error())
		return false
	}
	wrote = len(log.Events) > before
	if _, rotates := any(cmd).(identity.RotateAPIKey); rotates {
		return wrote
	}
	after := len(log.Events)
	if err := domaintest.Do(log, agg, id, s, cmd); err == nil && len(log.Events) > after {
		t.Fatalf("%T happened twice", cmd)
	}
	return wrote
}

func sometimes[T any](t *rapid.T, label string, values ...T) *T {
	if rapid.Bool().Draw(t, label+" given") {
		return new(rapid.SampledFrom(values).Draw(t, label))
	}
	return nil
}

func anyOrganizationCommand(t *rapid.T) domain.Decider[identity.Organization] {
	switch rapid.IntRange(0, 4).Draw(t, "command") {
	case 0:
		return identity.CreateOrganization{Name: rapid.SampledFrom([]string{"", "Acme"}).Draw(t, "name")}
	case 1:
		return identity.SuspendOrganization{}
	case 2:
		return identity.ReinstateOrganization{}
	}
	return identity.UpdateOrganization{
		Name: sometimes(t, "name", "Acme", "Bcme", ""), Slug: sometimes(t, "slug", "a", "b", "B!"),
		Settings: domain.Doc{"k": raw(rapid.SampledFrom([]string{"1", "2", "null"}).Draw(t, "setting"))},
		Plan:     sometimes(t, "plan", identity.Free, identity.Pro, "gold"),
	}
}

func anyWorkspaceCommand(t *rapid.T) domain.Decider[identity.Workspace] {
	switch rapid.IntRange(0, 6).Draw(t, "command") {
	case 0, 1:
		return identity.CreateWorkspace{Name: "Main"}
	case 2:
		return identity.DeleteWorkspace{}
	}
	return identity.UpdateWorkspace{
		Name: sometimes(t, "name", "Main", "Other", ""), Slug: sometimes(t, "slug", "a", "b"), Description: sometimes(t, "description", "", "x"),
		Status: sometimes(t, "status", identity.StatusActive, identity.StatusArchived, identity.StatusDeleted),
	}
}

func anyUserCommand(t *rapid.T) domain.Decider[identity.User] {
	switch rapid.IntRange(0, 6).Draw(t, "command") {
	case 0, 1:
		return identity.CreateUser{Email: "bob@example.com", Invited: rapid.Bool().Draw(t, "invited")}
	case 2:
		return identity.RemoveUser{}
	}
	return identity.UpdateUser{
		Email: sometimes(t, "email", "bob@example.com", "Eve@Example.com", "nobody"), FirstName: sometimes(t, "first", "", "Bob"),
		Role:   sometimes(t, "role", identity.Owner, identity.Viewer, "king"),
		Status: sometimes(t, "status", identity.StatusActive, identity.StatusSuspended, identity.StatusInvited),
	}
}

func anyKeyCommand(t *rapid.T) domain.Decider[identity.APIKey] {
	switch rapid.IntRange(0, 7).Draw(t, "command") {
	case 0, 1:
		return identity.CreateAPIKey{Name: "k", WorkspaceID: "ws_1", OwnerID: "user_1", Prefix: "p", SecretHash: hash}
	case 2:
		return identity.RevokeAPIKey{}
	case 3:
		return identity.RotateAPIKey{Prefix: "q", SecretHash: hash}
	}
	return identity.UpdateAPIKey{
		Name: sometimes(t, "name", "k", "l", " "), Scopes: sometimes(t, "scopes", nil, []string{"apps:get", "*:list", "apps:get"}, []string{"odd"}),
		RateLimitTier: sometimes(t, "tier", identity.Free, identity.Enterprise),
		ExpiresAt:     sometimes(t, "expiry", time.Time{}, domaintest.Now.Add(time.Hour), domaintest.Now.Add(-time.Hour)),
	}
}
