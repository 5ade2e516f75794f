package vault_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/secret"
	"strata/internal/secrets"
	"strata/internal/subjectkeys"
	"strata/internal/vault"
	"strata/streams"
	"strata/streams/embedded"
)

type world struct {
	testing.TB
	now     time.Time
	store   *embedded.Log
	handler *commands.Handler
	secrets *commands.Secrets
	sealer  *secrets.Sealer
	vault   *vault.Vault
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	var err error
	w.sealer, err = secrets.New(make([]byte, secrets.KeySize))
	must(t, err)
	keys, err := subjectkeys.Open(t.Context(), filepath.Join(t.TempDir(), "subjects.db"), w.sealer)
	must(t, err)
	codec, err := streams.NewCodec(secret.FactTypes(), nil, keys)
	must(t, err)
	w.store, err = embedded.Open(t.TempDir(), embedded.Options{SegmentSize: 1 << 20, NoSync: true})
	must(t, err)
	t.Cleanup(func() {
		must(t, w.store.Close())
		must(t, keys.Close())
	})
	w.handler = commands.New(commands.Config{Store: w.store, Codec: codec, Now: func() time.Time { return w.now }})
	w.secrets = commands.NewSecrets(w.handler, w.sealer, keys)
	w.restart()
	return w
}

// restart makes a vault that has seen nothing yet. What it finds is what the log has.
func (w *world) restart() {
	w.vault = vault.New(vault.Config{Handler: w.handler, Open: w.sealer.Open,
		Find: func(ctx context.Context, workspace, name string) (secret.State, error) {
			s, err := commands.Load(ctx, w.handler, secret.Aggregate, domain.System("", ""), secret.ID(workspace, name),
				func(l *commands.Loaded[secret.State]) secret.State { return *l.State })
			if err == nil && !s.Exists {
				err = domain.NotFound("secret", name)
			}
			return s, err
		}})
}

func (w *world) request() commands.Request {
	return commands.Request{Principal: domain.Principal{Actor: "user_ann", Organization: "org_1", Workspace: "ws_1", Permissions: map[string]bool{"*": true}}}
}

func (w *world) create(name, value string, expires time.Time) {
	w.Helper()
	_, err := w.secrets.Create(w.Context(), w.request(), secret.Create{Name: name, ExpiresAt: expires}, value)
	must(w, err)
}

// uses are the recorded uses of all secrets.
func (w *world) uses() (out []string) {
	w.Helper()
	for r, err := range w.store.ReadAll(w.Context(), streams.ReadAll{}) {
		must(w, err)
		if r.Type == (secret.Used{}).EventType() {
			var f secret.Used
			must(w, json.Unmarshal(r.Data, &f))
			out = append(out, fmt.Sprintf("%s %d %s", f.Consumer, f.Version, f.Day))
		}
	}
	return out
}

var consumer = vault.Consumer{Workspace: "ws_1", Kind: "workflow", ID: "wf_1"}

func (w *world) fill(by vault.Consumer, text string) (string, []string, error) {
	values, err := w.vault.Fill(w.Context(), by, &text)
	return text, values, err
}

func TestFill(t *testing.T) {
	w := newWorld(t)
	w.create("a", "x{{secret.b}}", time.Time{})
	w.create("b", "longer than the other", time.Time{})
	got, values, err := w.fill(consumer, "{{secret.a}} {{ secret.B }} {{secret.a}}")
	must(t, err)
	if got != "x{{secret.b}} longer than the other x{{secret.b}}" || !slices.Equal(values, []string{"longer than the other", "x{{secret.b}}"}) {
		t.Errorf("%q %q", got, values)
	}
	got, values, err = w.fill(consumer, "none {{inputs.a}}")
	must(t, err)
	if got != "none {{inputs.a}}" || values != nil {
		t.Errorf("%q %q", got, values)
	}
	other := consumer
	other.Workspace = "ws_2"
	if _, _, err = w.fill(other, "{{secret.a}}"); domain.CodeOf(err) != domain.CodeConflict {
		t.Errorf("another workspace's: %v", err)
	}
}

// A value that was rotated is used by the next call, one that is gone or too old by none.
func TestFillAsItIsNow(t *testing.T) {
	w := newWorld(t)
	w.create("a", "one", w.now.Add(time.Hour))
	_, err := w.secrets.Rotate(t.Context(), w.request(), "a", "two", false)
	must(t, err)
	if got, _, err := w.fill(consumer, "{{secret.a}}"); err != nil || got != "two" {
		t.Errorf("%q %v", got, err)
	}
	w.now = w.now.Add(time.Hour)
	if got, _, err := w.fill(consumer, "{{secret.a}}"); domain.CodeOf(err) != domain.CodeConflict || !strings.Contains(err.Error(), "expired") || got != "{{secret.a}}" {
		t.Errorf("%q %v", got, err)
	}
	_, err = w.secrets.Delete(t.Context(), w.request(), "a")
	must(t, err)
	if _, _, err := w.fill(consumer, "{{secret.a}}"); domain.CodeOf(err) != domain.CodeConflict {
		t.Errorf("%v", err)
	}
}

// Of many uses, the first of a day is recorded: by consumer and version, also by a
// process that has just started.
func TestUsesAreRecordedSparingly(t *testing.T) {
	w := newWorld(t)
	w.create("a", "one", time.Time{})
	use := func(by vault.Consumer) {
		t.Helper()
		for range 3 {
			_, _, err := w.fill(by, "{{secret.a}}")
			must(t, err)
		}
	}
	use(consumer)
	w.restart()
	use(consumer)
	other := consumer
	other.ID = "wf_2"
	use(other)
	w.now = w.now.AddDate(0, 0, 1)
	use(consumer)
	_, err := w.secrets.Rotate(t.Context(), w.request(), "a", "two", false)
	must(t, err)
	use(consumer)
	want := []string{"workflow/wf_1 1 2026-05-01", "workflow/wf_2 1 2026-05-01", "workflow/wf_1 1 2026-05-02", "workflow/wf_1 2 2026-05-02"}
	if got := w.uses(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func doc(t testing.TB, text string) (d domain.Doc) {
	t.Helper()
	must(t, json.Unmarshal([]byte(text), &d))
	return d
}

func fields(err error) (out []string) {
	var f domain.Faults
	f.Take(err)
	if e, ok := f.Err().(*domain.Error); ok {
		for _, fault := range e.Fields {
			out = append(out, fault.Field)
		}
	}
	return out
}

func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.create("a", "one", time.Time{})
	for text, want := range map[string][]string{
		`mcp_server {"headers":{"A":"{{secret.a}}","B":"{{secret.b}}"},"env":{"C":"x{{secret.c}}"},"auth":{"type":"basic","token":"{{secret.d}}","username":"{{secret.e}}","password":"{{secret}}"}}`: {"headers.B", "env.C", "auth.token", "auth.username", "auth.password"},
		`provider {"api_key":"{{secret.b}}"}`: {"api_key"},
		`provider {"models":["m"]}`:           nil,
		`workflow {"nodes":[{"id":"n","type":"http","config":{"headers":{"A":"{{secret.a}}"}}},{"id":"o","type":"http","config":{"headers":{"A":"{{secret.b}}"}}},
			{"id":"l","type":"loop","config":{"do":{"type":"http","config":{"headers":{"A":"{{secret.b}}"}}}}}]}`: {"nodes[1].config.headers.A", "nodes[2].config.do.config.headers.A"},
		`app {"name":"{{secret.b}}"}`: nil,
	} {
		kind, text, _ := strings.Cut(text, " ")
		if got := fields(w.vault.Check(t.Context(), "ws_1", kind, doc(t, text))); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestReferences(t *testing.T) {
	w := newWorld(t)
	sealed, err := w.sealer.Seal("Bearer {{secret.DOOR}}")
	must(t, err)
	r := vault.Resource{Kind: catalogue.MCPServers.Name, ID: "mcp_1", Name: "s", Doc: doc(t, `{"headers":{"A":"`+sealed+`"},"env":{}}`)}
	refs, err := w.vault.References("door", r)
	must(t, err)
	if want := []vault.Reference{{Kind: "mcp_server", ID: "mcp_1", Name: "s", Field: "headers.A"}}; !slices.Equal(refs, want) {
		t.Errorf("%+v", refs)
	}
	if refs, err = w.vault.References("doors", r); err != nil || len(refs) != 0 {
		t.Errorf("%+v %v", refs, err)
	}
}
