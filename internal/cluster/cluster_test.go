package cluster_test

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"strata/commands"
	"strata/domain"
	facts "strata/domain/cluster"
	"strata/internal/cluster"
	"strata/internal/outbound"
	"strata/projections/projectionstest"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type sealer struct{}

func (sealer) Seal(plain string) (string, error) {
	if plain == "" {
		return "", nil
	}
	return "sealed:" + plain, nil
}
func (sealer) Open(sealed string) (string, error) { return strings.TrimPrefix(sealed, "sealed:"), nil }

var me = domain.Principal{Actor: "user_1", Organization: "org_1", Workspace: "ws_1", Permissions: map[string]bool{"*": true}}

func newService(t *testing.T, private ...string) *cluster.Service {
	t.Helper()
	codec, err := streams.NewCodec(facts.FactTypes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	guard, err := outbound.New(private)
	if err != nil {
		t.Fatal(err)
	}
	client := cluster.NewClient(guard)
	t.Cleanup(client.CloseIdleConnections)
	return &cluster.Service{Handler: commands.New(commands.Config{Store: projectionstest.NewLog(), Codec: codec}), Sealer: sealer{}, Client: client, Random: rand.Reader}
}

// manage registers a cluster whose manager is h, and finds its manager.
func manage(t *testing.T, h http.HandlerFunc, private ...string) *cluster.Manager {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	s := newService(t, private...)
	url, token := srv.URL+"/api/", "s3cr3t"
	if _, _, err := s.Register(t.Context(), commands.Request{Principal: me}, cluster.Registration{ManagerURL: &url, IngressURL: &url, Token: &token}); err != nil {
		t.Fatal(err)
	}
	m, err := s.Manager(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestManager(t *testing.T) {
	var got []string
	m := manage(t, func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization")+" "+r.Header.Get("Idempotency-Key"))
		switch r.Method {
		case http.MethodGet:
			_, _ = w.Write([]byte(`{"nodes":[{"name":"n1"}],"inference":{"ready":true},"more":1}`))
		case http.MethodPost:
			var training cluster.Training
			if err := json.NewDecoder(r.Body).Decode(&training); err != nil || training.ID != "trn_1" || training.GPUCount != 2 {
				w.WriteHeader(http.StatusBadRequest)
			}
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}, outbound.Everywhere)
	s, err := m.Status(t.Context())
	if err != nil || len(s.Nodes) != 1 || s.Nodes[0].String("name") != "n1" || string(s.Inference["ready"]) != "true" {
		t.Errorf("%+v, %v", s, err)
	}
	if err := m.Start(t.Context(), "key", cluster.Training{ID: "trn_1", GPUCount: 2}); err != nil {
		t.Error(err)
	}
	if err := m.Cancel(t.Context(), "trn_1"); err != nil {
		t.Errorf("what is not there is stopped: %v", err)
	}
	want := "GET /api/status Bearer s3cr3t ,POST /api/trainings Bearer s3cr3t key,DELETE /api/trainings/trn_1 Bearer s3cr3t "
	if strings.Join(got, ",") != want {
		t.Errorf("asked %q", got)
	}
}

func TestManagerThatDoesNotDoIt(t *testing.T) {
	for status, want := range map[int]domain.Code{400: domain.CodeConflict, 401: domain.CodeConflict, 302: domain.CodeConflict, 429: domain.CodeUnavailable, 503: domain.CodeUnavailable} {
		m := manage(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }, outbound.Everywhere)
		if err := m.Start(t.Context(), "k", cluster.Training{}); domain.CodeOf(err) != want {
			t.Errorf("%d: %v", status, err)
		}
	}
	for _, answer := range []string{"no JSON", strings.Repeat(" ", 2<<20)} {
		m := manage(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }, outbound.Everywhere)
		if _, err := m.Status(t.Context()); domain.CodeOf(err) != domain.CodeUnavailable {
			t.Errorf("%.10s: %v", answer, err)
		}
	}
}

// The token goes to nobody but the manager, and no further than the guard permits.
func TestTokenStays(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	t.Cleanup(elsewhere.Close)
	m := manage(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	}, outbound.Everywhere)
	if _, err := m.Status(t.Context()); err == nil {
		t.Error("a redirect is no status")
	}
	m = manage(t, func(http.ResponseWriter, *http.Request) { t.Error("a private address was asked") })
	if _, err := m.Status(t.Context()); domain.CodeOf(err) != domain.CodeUnavailable || !strings.Contains(err.Error(), "outbound.private") {
		t.Errorf("%v", err)
	}
}

func TestOnePerWorkspace(t *testing.T) {
	s := newService(t)
	url, req := "https://manager.example.com", commands.Request{Principal: me}
	if _, err := s.Get(t.Context(), me); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("before: %v", err)
	}
	r := cluster.Registration{ManagerURL: &url, IngressURL: &url}
	first, secret, err := s.Register(t.Context(), req, r)
	if err != nil || !strings.HasPrefix(secret, "whsec_") || len(secret) != 70 {
		t.Fatalf("%q, %v", secret, err)
	}
	if _, again, err := s.Register(t.Context(), req, r); domain.CodeOf(err) != domain.CodeConflict || again != "" {
		t.Errorf("twice: %q, %v", again, err)
	}
	if got, err := s.WebhookSecret(t.Context(), me); err != nil || got != secret {
		t.Errorf("%q, %v", got, err)
	}
	if _, rotated, err := s.Rotate(t.Context(), req); err != nil || rotated == secret {
		t.Errorf("%q, %v", rotated, err)
	}
	other := me
	other.Workspace = "ws_2"
	if _, err := s.Get(t.Context(), other); domain.CodeOf(err) != domain.CodeNotFound {
		t.Errorf("another space: %v", err)
	}
	bad := "a b"
	if _, err := s.Update(t.Context(), req, cluster.Registration{Token: &bad}); domain.CodeOf(err) != domain.CodeValidation {
		t.Errorf("a token with a blank: %v", err)
	}
	if id, _, err := s.Remove(t.Context(), req); err != nil || id != first.View.ID {
		t.Errorf("removed %q, %v", id, err)
	}
	if second, _, err := s.Register(t.Context(), req, r); err != nil || second.View.ID == first.View.ID {
		t.Errorf("%+v, %v", second.View, err)
	}
}
