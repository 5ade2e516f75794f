package commands_test

import (
	"strings"
	"testing"

	"strata/commands"
	"strata/domain"
	"strata/domain/secret"
	"strata/internal/secrets"
	"strata/streams"
)

// vaults is a world with secrets in it.
func vaults(t *testing.T) (*world, *stubborn, *commands.Secrets) {
	t.Helper()
	w, keys := privateWorld(t)
	master, err := secrets.New(make([]byte, secrets.KeySize))
	ok(t, err)
	return w, keys, commands.NewSecrets(w.h, master, keys)
}

func by(workspace string) commands.Request {
	return commands.Request{Principal: principal(workspace), Route: "test"}
}

// values are what can be read of secrets in the log, sealed.
func (w *world) values() (out []string) {
	w.t.Helper()
	for r, err := range w.store.ReadAll(w.t.Context(), streams.ReadAll{}) {
		ok(w.t, err)
		if strings.Contains(string(r.Data), "hunter2") {
			w.t.Errorf("%s holds a value in plain", r.Type)
		}
		e, err := w.codec.Decode(r)
		ok(w.t, err)
		switch f := e.Fact.(type) {
		case secret.Created:
			out = append(out, f.Value)
		case secret.Rotated:
			out = append(out, f.Value)
		}
	}
	return out
}

func TestSecretValues(t *testing.T) {
	w, _, s := vaults(t)
	ctx := t.Context()
	_, err := s.Create(ctx, by("ws_1"), secret.Create{Name: "Door"}, "hunter2")
	ok(t, err)
	_, err = s.Create(ctx, by("ws_1"), secret.Create{Name: "door"}, "hunter2")
	wantCode(t, err, domain.CodeConflict)
	_, err = s.Create(ctx, by("ws_1"), secret.Create{Name: "1"}, "")
	wantCode(t, err, domain.CodeValidation)
	if text := err.Error(); !strings.Contains(text, "name") || !strings.Contains(text, "value is required") {
		t.Errorf("every fault is named at once: %v", err)
	}
	again := by("ws_1")
	again.IdempotencyKey = "once"
	for range 2 {
		out, err := s.Rotate(ctx, again, "door", "hunter2 and more", false)
		ok(t, err)
		if out.View.Version != 2 {
			t.Errorf("version %d", out.View.Version)
		}
	}
	for version, want := range map[int]string{0: "hunter2 and more", 1: "hunter2", 2: "hunter2 and more"} {
		_, got, _, err := s.Reveal(ctx, by("ws_1"), "door", secret.Reveal{Version: version, Reason: "test"})
		ok(t, err)
		if got != want {
			t.Errorf("version %d is %q", version, got)
		}
	}
	_, _, _, err = s.Reveal(ctx, by("ws_2"), "door", secret.Reveal{Reason: "test"})
	wantCode(t, err, domain.CodeNotFound)
	few := by("ws_1")
	few.Permission, few.Principal.Permissions = "secrets:reveal", map[string]bool{"secrets:get": true}
	_, _, _, err = s.Reveal(ctx, few, "door", secret.Reveal{Reason: "test"})
	wantCode(t, err, domain.CodeForbidden)
	if n := len(w.values()); n != 2 {
		t.Errorf("%d values", n)
	}
}

// A deleted secret cannot be read by anybody, even if the process died before its key
// was destroyed; one of the same name that is made later can.
func TestDeletedSecretsAreShredded(t *testing.T) {
	w, keys, s := vaults(t)
	ctx := t.Context()
	_, err := s.Create(ctx, by("ws_1"), secret.Create{Name: "door"}, "hunter2")
	ok(t, err)
	keys.fails = true
	if _, err = s.Delete(ctx, by("ws_1"), "door"); err == nil {
		t.Error("it cannot be shredded, and nothing is said")
	}
	_, err = s.Delete(ctx, by("ws_1"), "door")
	wantCode(t, err, domain.CodeNotFound)
	_, err = s.Create(ctx, by("ws_1"), secret.Create{Name: "door"}, "hunter2 again")
	ok(t, err)
	if left := w.values(); left[0] == "" || left[1] == "" {
		t.Errorf("%q", left)
	}
	keys.fails = false
	for range 2 {
		ok(t, s.Recover(ctx))
		if left := w.values(); left[0] != "" || left[1] == "" {
			t.Errorf("%q", left)
		}
	}
	_, err = s.Delete(ctx, by("ws_1"), "door")
	ok(t, err)
	if left := w.values(); left[0] != "" || left[1] != "" {
		t.Errorf("%q", left)
	}
}
