package secret_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/domaintest"
	"strata/domain/secret"
)

var (
	created = secret.Created{Name: "github-token", Description: "Reads issues", Tags: []string{"ci"}, RotationDays: 30,
		ExpiresAt: domaintest.Now.AddDate(1, 0, 0), Subject: domaintest.ID("sec", 1), Value: "sealed:v1:a"}
	rotated  = secret.Rotated{Version: 2, Generated: true, Subject: created.Subject, Value: "sealed:v1:b"}
	revealed = secret.Revealed{Version: 1, Reason: "the service is moved"}
	used     = secret.Used{Version: 1, Consumer: "mcp_server/mcp_1", Day: secret.Day(domaintest.Now)}
	deleted  = secret.Deleted{Subject: created.Subject}
)

func TestGolden(t *testing.T) {
	expires := domaintest.Now.AddDate(2, 0, 0)
	domaintest.Golden(t, secret.FactTypes(), created,
		secret.Updated{Description: new("Writes issues"), Tags: &[]string{"ci", "prod"}, RotationDays: new(90), ExpiresAt: &expires},
		rotated, revealed, used, deleted)
}

func create() secret.Create {
	return secret.Create{Name: created.Name, Description: created.Description, Tags: created.Tags, RotationDays: 30,
		ExpiresAt: created.ExpiresAt, Sealed: created.Value}
}

func TestCreate(t *testing.T) {
	s := domaintest.Given(t, secret.Aggregate).When(create()).Then(created).State()
	if v, ok := s.Value(0); !ok || v != created.Value || s.Version != 1 || s.CreatedBy == "" || s.LastRotatedAt.IsZero() {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, secret.Aggregate, created).When(create()).ThenError(domain.CodeConflict)
	domaintest.Given(t, secret.Aggregate, created, deleted).When(create()).Then(created)
}

func TestCreateNamesEveryFault(t *testing.T) {
	long := strings.Repeat("x", 3000)
	domaintest.Given(t, secret.Aggregate).When(secret.Create{Description: long, Tags: []string{""}, RotationDays: -1, ExpiresAt: domaintest.Now}).
		ThenError(domain.CodeValidation, "name", "description", "tags", "rotation_days", "expires_at", "value")
	for _, name := range []string{"1st", "a b", "a/b", "a}}", long, "-a"} {
		c := create()
		c.Name = name
		domaintest.Given(t, secret.Aggregate).When(c).ThenError(domain.CodeValidation, "name")
	}
}

func TestPut(t *testing.T) {
	never := time.Time{}
	u := secret.Updated{Description: new(""), RotationDays: new(0), ExpiresAt: &never}
	s := domaintest.Given(t, secret.Aggregate, created).
		When(secret.Put{Description: new(""), Tags: &[]string{"ci"}, RotationDays: new(0), ExpiresAt: &never, Sealed: "sealed:v1:b"}).
		Then(u, secret.Rotated{Version: 2, Subject: created.Subject, Value: "sealed:v1:b"}).State()
	if s.Version != 2 || s.Description != "" || s.RotationDays != 0 || !s.ExpiresAt.IsZero() || !slices.Equal(s.Tags, created.Tags) {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, secret.Aggregate, created).When(secret.Put{Description: new(created.Description)}).ThenNothing()
	domaintest.Given(t, secret.Aggregate).When(secret.Put{}).ThenError(domain.CodeNotFound)
}

func TestRotate(t *testing.T) {
	s := domaintest.Given(t, secret.Aggregate, created).When(secret.Rotate{Sealed: rotated.Value, Generated: true}).Then(rotated).State()
	now, _ := s.Value(0)
	before, _ := s.Value(1)
	if now != rotated.Value || before != created.Value {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, secret.Aggregate, created).When(secret.Rotate{}).ThenError(domain.CodeValidation, "value")
	domaintest.Given(t, secret.Aggregate, created, deleted).When(secret.Rotate{Sealed: "x"}).ThenError(domain.CodeNotFound)
}

func TestReveal(t *testing.T) {
	domaintest.Given(t, secret.Aggregate, created).When(secret.Reveal{Reason: " the service is moved "}).Then(revealed)
	domaintest.Given(t, secret.Aggregate, created, rotated).When(secret.Reveal{Version: 1, Reason: revealed.Reason}).Then(revealed)
	domaintest.Given(t, secret.Aggregate, created).When(secret.Reveal{Version: 2, Reason: " "}).ThenError(domain.CodeValidation, "reason", "version")
	domaintest.Given(t, secret.Aggregate, created, deleted).When(secret.Reveal{Reason: "x"}).ThenError(domain.CodeNotFound)
	facts := []domain.Fact{created}
	for v := 2; v <= secret.KeptVersions+1; v++ {
		facts = append(facts, secret.Rotated{Version: v, Subject: created.Subject, Value: fmt.Sprint(v)})
	}
	domaintest.Given(t, secret.Aggregate, facts...).When(secret.Reveal{Version: 1, Reason: "x"}).ThenError(domain.CodeValidation, "version")
	domaintest.Given(t, secret.Aggregate, facts...).When(secret.Reveal{Version: 2, Reason: "x"}).Then(secret.Revealed{Version: 2, Reason: "x"})
}

// Of all uses of a day, the first of each consumer and version is a fact.
func TestUse(t *testing.T) {
	use := secret.Use{Version: 1, Consumer: used.Consumer}
	s := domaintest.Given(t, secret.Aggregate, created).When(use).Then(used).State()
	if s.LastAccessedAt.IsZero() {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, secret.Aggregate, created, used).When(use).ThenNothing()
	other := used
	other.Consumer = "workflow/wf_1"
	domaintest.Given(t, secret.Aggregate, created, used).When(secret.Use{Version: 1, Consumer: other.Consumer}).Then(other)
	next := used
	next.Version = 2
	domaintest.Given(t, secret.Aggregate, created, used, rotated).When(secret.Use{Version: 2, Consumer: used.Consumer}).Then(next)
	yesterday := used
	yesterday.Day = secret.Day(domaintest.Now.AddDate(0, 0, -1))
	s = domaintest.Given(t, secret.Aggregate, created, yesterday).When(use).Then(used).State()
	if len(s.Users) != 1 {
		t.Errorf("what was used on other days is not kept: %+v", s.Users)
	}
	domaintest.Given(t, secret.Aggregate, created, deleted).When(use).ThenError(domain.CodeNotFound)
}

func TestDelete(t *testing.T) {
	s := domaintest.Given(t, secret.Aggregate, created, rotated).When(secret.Delete{}).Then(deleted).State()
	if _, kept := s.Value(1); kept || s.Exists {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, secret.Aggregate, created, deleted).When(secret.Delete{}).ThenError(domain.CodeNotFound)
}

// What the key opened is what is gone with it.
func TestErasedValues(t *testing.T) {
	open, personal, subject := created.SplitPersonal()
	if f, ok := open.(secret.Created); !ok || f.Value != "" || f.Name != created.Name || personal == nil || subject != created.Subject {
		t.Errorf("%+v %v %v", open, personal, subject)
	}
	open, personal, subject = rotated.SplitPersonal()
	if f, ok := open.(secret.Rotated); !ok || f.Value != "" || personal == nil || subject != created.Subject {
		t.Errorf("%+v %v %v", open, personal, subject)
	}
	gone := created
	gone.Value = ""
	if s := domaintest.Fold(secret.Aggregate, "sec_1", gone); s.Version != 1 {
		t.Errorf("%+v", s)
	} else if _, ok := s.Value(0); ok {
		t.Error("there is no value any more")
	}
}

func TestStatus(t *testing.T) {
	s := domaintest.Fold(secret.Aggregate, "sec_1", created)
	for at, want := range map[time.Time]secret.Status{
		s.CreatedAt:                                  secret.Active,
		s.CreatedAt.AddDate(0, 0, 30).Add(-1):        secret.Active,
		s.CreatedAt.AddDate(0, 0, 30):                secret.RotationDue,
		created.ExpiresAt.Add(-time.Nanosecond):      secret.RotationDue,
		created.ExpiresAt:                            secret.Expired,
		created.ExpiresAt.Add(1000 * 24 * time.Hour): secret.Expired,
	} {
		if got := s.Status(at); got != want {
			t.Errorf("at %v: %s, want %s", at, got, want)
		}
	}
}

func TestReferences(t *testing.T) {
	text := "Bearer {{secret.github-token}}, {{ secret.b.c }} {{inputs.x}} {{secret.github-token}}"
	if got := secret.Names(text); !slices.Equal(got, []string{"github-token", "b.c"}) {
		t.Errorf("%q", got)
	}
	got := secret.Fill(text, func(name string) string { return "<" + name + "{{secret.z}}>" })
	if want := "Bearer <github-token{{secret.z}}>, <b.c{{secret.z}}> {{inputs.x}} <github-token{{secret.z}}>"; got != want {
		t.Errorf("%q", got)
	}
	for text, want := range map[string]bool{"": false, "{{secret.a}}": false, "{{secrets.a}}": false, "{{inputs.secret}}": false, "secret.a": false,
		"{{secret}}": true, "{{secret.}}": true, "{{secret.a b}}": true, "{{secret.a": true, "{{secret.a}} {{secret.1}}": true, "{{ secret[0] }}": true} {
		if got := secret.Misspelt(text) != ""; got != want {
			t.Errorf("%q: misspelt %v", text, got)
		}
	}
}

func TestHideInJSON(t *testing.T) {
	raw := json.RawMessage(`{"a":"x t\"k y","t\"k":[1.50,{"b":"t\u0022k"}],"n":123456}`)
	got := string(secret.HideInJSON(raw, []string{`t"k`, "3456"}))
	if want := `{"***":[1.50,{"b":"***"}],"a":"x *** y","n":"***"}`; got != want {
		t.Errorf("%s", got)
	}
	if got := secret.HideInJSON(raw, []string{"other"}); !reflect.DeepEqual(got, raw) {
		t.Errorf("%s", got)
	}
	if got := string(secret.HideInJSON(json.RawMessage("no JSON: tk"), []string{"tk"})); got != `"no JSON: ***"` {
		t.Errorf("%s", got)
	}
}

// However often a secret is rotated, the last values can be had, and no other.
func TestKeptValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log, s := domaintest.NewLog(), secret.Aggregate.New("sec_1")
		do := func(cmd domain.Decider[secret.State]) {
			if err := domaintest.Do(log, secret.Aggregate, "sec_1", s, cmd); err != nil {
				t.Fatal(err)
			}
		}
		do(create())
		values := []string{created.Value}
		for i := range rapid.IntRange(0, 30).Draw(t, "rotations") {
			values = append(values, fmt.Sprint("v", i))
			do(secret.Rotate{Sealed: values[len(values)-1]})
		}
		for i, want := range values {
			got, ok := s.Value(i + 1)
			if kept := i >= len(values)-secret.KeptVersions; ok != kept || kept && got != want {
				t.Fatalf("version %d of %d: %q %v", i+1, len(values), got, ok)
			}
		}
	})
}
