package access_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/internal/eventstore/access"
	"strata/internal/eventstore/eslog"
	"strata/streams"
	"strata/streams/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func background(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, dir string) (*access.Control, *eslog.Log, func()) {
	t.Helper()
	l, err := embedded.Open(dir, embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	closeLog := func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	log := eslog.New(l)
	c, err := access.New(log)
	if err != nil {
		t.Fatal(err)
	}
	access.Hurry(c)
	return c, log, closeLog
}

func write(t *testing.T, l *eslog.Log, stream domain.StreamID, typ, data string) {
	t.Helper()
	_, err := l.Append(background(t), stream, streams.Any, []eslog.Event{
		{ID: domain.NewEventID(), Type: typ, ContentType: eslog.ContentJSON, Data: []byte(data)},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestUsers(t *testing.T) {
	dir := t.TempDir()
	c, l, done := open(t, dir)
	ctx := background(t)
	if err := c.Set(ctx, "ann", "a long password", "writers"); err != nil {
		t.Fatal(err)
	}
	check := func(name, password string, right bool) {
		t.Helper()
		for range 2 { // hashed, then from memory
			p, err := c.Authenticate(ctx, name, password)
			if right && (err != nil || p.Name != name || !p.In("writers")) {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
			if !right && !errors.Is(err, access.ErrWrongPassword) {
				t.Errorf("%s with a wrong password: %+v, %v", name, p, err)
			}
		}
	}
	check("ann", "a long password", true)
	check("ann", "a long passwort", false)
	check("ann", "", false)
	check("bob", "a long password", false)
	check("", "", false)

	before, _ := l.Embedded().Head(ctx)
	if err := c.Set(ctx, "ann", "a long password", "writers"); err != nil {
		t.Fatal(err)
	}
	if after, _ := l.Embedded().Head(ctx); after != before {
		t.Error("setting a user to what it is has written something")
	}
	if err := c.Set(ctx, "ann", "another password", "writers"); err != nil {
		t.Fatal(err)
	}
	check("ann", "a long password", false)
	check("ann", "another password", true)
	for r, err := range l.ReadAll(ctx, eslog.ReadAll{}) {
		if err != nil || strings.Contains(string(r.Data), "password") {
			t.Errorf("the log holds %s, %v", r.Data, err)
		}
	}
	done()

	c, l, done = open(t, dir)
	defer done()
	check("ann", "another password", true)
	write(t, l, "$user-ann", "$User", `{"loginName":"ann","hash":"","disabled":true}`)
	check("ann", "another password", false)
	if _, err := l.Tombstone(ctx, "$user-ann", streams.Any); err != nil {
		t.Fatal(err)
	}
	check("ann", "another password", false)
	for name, err := range map[string]error{
		"name":     c.Set(ctx, "a:b", "a long password"),
		"system":   c.Set(ctx, "$admins", "a long password"),
		"password": c.Set(ctx, "bob", "short"),
		"group":    c.Set(ctx, "bob", "a long password", "$all"),
	} {
		if err == nil {
			t.Errorf("a wrong %s was taken", name)
		}
	}
}

func TestRights(t *testing.T) {
	c, l, done := open(t, t.TempDir())
	defer done()
	admin := access.Principal{Name: "admin", Groups: []string{access.Admins}}
	ops := access.Principal{Name: "ops", Groups: []string{access.Operators}}
	ann := access.Principal{Name: "ann", Groups: []string{"writers"}}
	bob := access.Principal{Name: "bob"}
	nobody := access.Principal{}
	all := []access.Principal{admin, ops, ann, bob, nobody}

	write(t, l, "$$listed-1", "$metadata", `{"$acl":{"$r":["bob","writers"],"$w":"writers","$mr":"$all","$d":[]}}`)
	write(t, l, "$$named-1", "$metadata", `{"$acl":"$systemStreamAcl"}`)
	write(t, l, "$$$open", "$metadata", `{"$acl":{"$r":"$all"}}`)
	write(t, l, "$$$asuser", "$metadata", `{"$acl":"$userStreamAcl"}`)
	write(t, l, "$$$user-ann", "$metadata", `{"$acl":{"$r":"$all","$w":"$all"}}`)
	type right = eslog.Right
	cases := []struct {
		stream domain.StreamID
		right  right
		who    string // in the order of all: those who may
	}{
		{"plain-1", eslog.Read, "admin ops ann bob"},
		{"plain-1", eslog.Write, "admin ops ann bob"},
		{"plain-1", eslog.Remove, "admin ops ann bob"},
		{"$$plain-1", eslog.Read, "admin ops ann bob"},
		{"$$plain-1", eslog.Write, "admin ops ann bob"},
		{"$system", eslog.Read, "admin ops"},
		{"$system", eslog.Write, "admin ops"},
		{"$$$system", eslog.Read, "admin ops"},
		{"$all", eslog.Read, "admin ops"},
		{"$settings", eslog.Read, "admin"},
		{"$settings", eslog.Write, "admin"},
		{"$$$settings", eslog.Write, "admin"},
		{"$user-ann", eslog.Read, "admin"},
		{"$user-ann", eslog.Write, "admin"},
		{"$$$user-ann", eslog.Write, "admin"},
		{"$users", eslog.Write, "admin"},
		{"listed-1", eslog.Read, "admin ann bob"},
		{"listed-1", eslog.Write, "admin ann"},
		{"listed-1", eslog.Remove, "admin"},
		{"$$listed-1", eslog.Read, "admin ops ann bob"},
		{"$$listed-1", eslog.Write, "admin ops ann bob"}, // not listed: the default
		{"named-1", eslog.Read, "admin ops"},
		{"$open", eslog.Read, "admin ops ann bob"},
		{"$open", eslog.Write, "admin ops"},
		{"$asuser", eslog.Write, "admin ops ann bob"},
	}
	check := func() {
		t.Helper()
		for _, k := range cases {
			may := map[string]bool{}
			for _, n := range strings.Fields(k.who) {
				may[n] = true
			}
			for _, who := range all {
				got, err := c.Allowed(background(t), who, k.stream, k.right)
				if err != nil || got != may[who.Name] {
					t.Errorf("%q %s %s: %t, %v", who.Name, k.right, k.stream, got, err)
				}
			}
		}
	}
	check()

	write(t, l, "$settings", "update", `{"$userStreamAcl":{"$w":["writers"]},"$systemStreamAcl":{"$r":"bob"}}`)
	cases = []struct {
		stream domain.StreamID
		right  right
		who    string
	}{
		{"plain-1", eslog.Read, "admin ops ann bob"},
		{"plain-1", eslog.Write, "admin ann"},
		{"$system", eslog.Read, "admin bob"},
		{"$system", eslog.Write, "admin ops"},
		{"$all", eslog.Read, "admin bob"},
		{"named-1", eslog.Read, "admin bob"},
		{"listed-1", eslog.Read, "admin ann bob"},
		{"$settings", eslog.Read, "admin"},
	}
	check()
	write(t, l, "$settings", "update", `{}`)
	cases = cases[:1]
	cases[0].right = eslog.Write
	check()
}

func TestCheckSettings(t *testing.T) {
	for data, ok := range map[string]bool{
		`{}`: true, `{"$userStreamAcl":{"$r":["a"]}}`: true, `{"$userStreamAcl":5}`: false, `not JSON`: false, `[]`: false,
	} {
		if err := access.CheckSettings("$settings", []byte(data)); (err == nil) != ok {
			t.Errorf("%s: %v", data, err)
		}
		if err := access.CheckSettings("other", []byte(data)); err != nil {
			t.Errorf("another stream: %v", err)
		}
	}
}
