package connectors_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"strata/commands"
	"strata/domain"
	"strata/domain/connector"
	"strata/domain/secret"
	"strata/internal/connectors"
	"strata/internal/secrets"
	"strata/internal/subjectkeys"
	"strata/internal/vault"
	"strata/streams"
)

// withSecrets gives the world a store of secrets, over the same log.
func withSecrets(t *testing.T) (*world, *commands.Secrets) {
	t.Helper()
	w := newWorld(t)
	sealer, err := secrets.New(make([]byte, secrets.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := subjectkeys.Open(t.Context(), filepath.Join(t.TempDir(), "subjects.db"), sealer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := keys.Close(); err != nil {
			t.Error(err)
		}
	})
	codec, err := streams.NewCodec(secret.FactTypes(), nil, keys)
	if err != nil {
		t.Fatal(err)
	}
	handler := commands.New(commands.Config{Store: w.log, Codec: codec})
	w.Secrets = vault.New(vault.Config{Handler: handler, Open: sealer.Open,
		Find: func(ctx context.Context, workspace, name string) (secret.State, error) {
			s, err := commands.Load(ctx, handler, secret.Aggregate, domain.System("", ""), secret.ID(workspace, name),
				func(l *commands.Loaded[secret.State]) secret.State { return *l.State })
			if err == nil && !s.Exists {
				err = domain.NotFound("secret", name)
			}
			return s, err
		}})
	return w, commands.NewSecrets(handler, sealer, keys)
}

func (w *world) connectorWith(c connectors.Credentials) (string, error) {
	out, err := w.Create(w.Context(), commands.Request{Principal: me}, connectors.New{
		Create:      connector.Create{Name: "Churn", Type: connector.AWSS3, S3: connector.S3{Bucket: "bkt", Endpoint: w.url, ForcePathStyle: true}},
		Credentials: c, SettingsAt: "s3.", CredentialsAt: "s3."})
	return out.ID, err
}

func TestCredentialsReferToSecrets(t *testing.T) {
	w, stored := withSecrets(t)
	ref := connectors.Credentials{AccessKeyID: "AK", SecretAccessKey: "SECRET", SessionToken: "{{secret.door}}"}
	_, err := w.connectorWith(ref)
	if own, ok := err.(*domain.Error); !ok || own.Code != domain.CodeValidation || own.Fields[0].Field != "s3.session_token" {
		t.Fatalf("a reference to nothing: %v", err)
	}
	mine := commands.Request{Principal: me}
	if _, err := stored.Create(t.Context(), mine, secret.Create{Name: "door"}, "first"); err != nil {
		t.Fatal(err)
	}
	misspelt := ref
	misspelt.SessionToken = "{{secret.}}"
	if _, err := w.connectorWith(misspelt); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("what is no reference: %v", err)
	}
	stranger := me
	stranger.Permissions = map[string]bool{}
	_, err = w.Create(t.Context(), commands.Request{Principal: stranger, Permission: "connectors:create"}, connectors.New{
		Create:      connector.Create{Name: "Churn", Type: connector.AWSS3, S3: connector.S3{Bucket: "bkt", Endpoint: w.url}},
		Credentials: connectors.Credentials{AccessKeyID: "AK", SecretAccessKey: "{{secret.none}}"}})
	if domain.CodeOf(err) != domain.CodeForbidden {
		t.Errorf("who may not make connectors is told of secrets: %v", err)
	}
	id, err := w.connectorWith(ref)
	if err != nil {
		t.Fatal(err)
	}
	state := w.state(id)
	if state.Status() != connector.Active || w.store.token() != "first" {
		t.Errorf("%s %s; the bucket was shown %q", state.Status(), state.Reason, w.store.token())
	}
	refs, err := w.References("DOOR", &state)
	if want := []vault.Reference{{Kind: "connector", ID: id, Name: "Churn", Field: "session_token"}}; err != nil || !slices.Equal(refs, want) {
		t.Errorf("referred to by %v, %v", refs, err)
	}
	if _, err := stored.Rotate(t.Context(), mine, "door", "second", false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Files(t.Context(), me, id, "", 10); err != nil || w.store.token() != "second" {
		t.Errorf("the bucket was shown %q, %v", w.store.token(), err)
	}
	if _, err := stored.Rotate(t.Context(), mine, "door", "two\nlines", false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Files(t.Context(), me, id, "", 10); domain.CodeOf(err) != domain.CodeConflict || !strings.Contains(err.Error(), "session_token") {
		t.Errorf("a value of two lines: %v", err)
	}
	if _, err := stored.Delete(t.Context(), mine, "door"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Files(t.Context(), me, id, "", 10)
	if domain.CodeOf(err) != domain.CodeConflict || !strings.Contains(err.Error(), `session_token: there is no secret "door"`) {
		t.Errorf("without its secret: %v", err)
	}
	out, reason, err := w.Test(t.Context(), commands.Request{Principal: me, ID: id})
	if err != nil || out.View.Status() != connector.Failed || !strings.Contains(reason, "session_token") {
		t.Errorf("tried without its secret: %+v, %q, %v", out.View, reason, err)
	}
}
