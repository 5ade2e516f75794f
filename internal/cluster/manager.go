// Package cluster speaks with the managers of workspaces' clusters, and keeps
// which cluster a workspace has ([Service]).
//
// A manager is a program of the customer's that runs trainings. It serves, below
// its URL, with "Authorization: Bearer <token>" when it was registered with one:
//
//	GET    /status           → 200 {"inference":{…},"ingress":{…},"nodes":[{…}],"resources":{…}}
//	POST   /trainings        [Training] → 2xx; the same Idempotency-Key is the same training
//	DELETE /trainings/{id}   → 2xx, or 404 when it has no such training
//
// How trainings go it tells by POST /v1/webhooks (package inbound). Redirects are
// not followed: the token is meant for one host.
package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"strata/domain"
	"strata/internal/outbound"
)

const (
	timeout   = 10 * time.Second // of one request
	maxAnswer = 1 << 20
)

// NewClient makes a client whose connections a guard permits.
func NewClient(guard *outbound.Guard) *http.Client {
	return &http.Client{Transport: guard.Transport(), Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Manager is the manager of a cluster. It is safe for concurrent use.
type Manager struct {
	URL    string
	Token  string // "" when it wants none
	Client *http.Client
}

// State is what a manager tells of its cluster, in its own words.
type State struct {
	Inference domain.Doc   `json:"inference"`
	Ingress   domain.Doc   `json:"ingress"`
	Nodes     []domain.Doc `json:"nodes"`
	Resources domain.Doc   `json:"resources"`
}

// Source is what a training reads through one connector.
type Source struct {
	ConnectorID string   `json:"connector_id"`
	Files       []string `json:"files,omitempty"`
	Target      string   `json:"target,omitempty"`
	Features    []string `json:"features,omitempty"`
}

// Training is what a manager is told of a training that it is to run.
type Training struct {
	ID            string          `json:"id"`
	Attempt       int             `json:"attempt"` // a later one of the same id takes the place of the one before
	Name          string          `json:"name"`
	Architecture  string          `json:"architecture"`
	DataModelID   string          `json:"data_model_id,omitempty"`
	GPUCount      int             `json:"gpu_count"`
	Configuration json.RawMessage `json:"configuration,omitempty"`
	Connectors    []Source        `json:"connectors,omitempty"`
	BenchmarkIDs  []string        `json:"benchmark_ids,omitempty"`
	Space         string          `json:"space"`                 // the workspace
	WebhookURL    string          `json:"webhook_url,omitempty"` // where it tells how it goes
}

// Status asks for the cluster's state. Errors: SERVICE_UNAVAILABLE.
func (m *Manager) Status(ctx context.Context) (State, error) {
	var out State
	body, err := m.do(ctx, http.MethodGet, "status", "", nil)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, domain.Errorf(domain.CodeUnavailable, "the cluster's manager answers what is no status").Because(err)
	}
	return out, nil
}

// Start has a training run. It may be repeated under one key. Errors: CONFLICT
// when the manager refuses it, which trying again will not change;
// SERVICE_UNAVAILABLE when it may.
func (m *Manager) Start(ctx context.Context, key string, t Training) error {
	body, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = m.do(ctx, http.MethodPost, "trainings", key, body)
	return err
}

// Cancel has a training stop. One that the manager does not know is stopped.
// Errors: as Start.
func (m *Manager) Cancel(ctx context.Context, id string) error {
	_, err := m.do(ctx, http.MethodDelete, "trainings/"+url.PathEscape(id), "", nil)
	if r, ok := errors.AsType[*refusal](err); ok && r.status == http.StatusNotFound {
		return nil
	}
	return err
}

// refusal is the cause of an error: the manager answered, and how.
type refusal struct{ status int }

func (r *refusal) Error() string { return fmt.Sprintf("answered %d", r.status) }

// do makes a request and reads its answer, within timeout.
func (m *Manager) do(ctx context.Context, method, path, key string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(m.URL, "/")+"/"+path, bytes.NewReader(body))
	if err != nil {
		return nil, domain.Errorf(domain.CodeConflict, "the cluster's manager has no proper URL").Because(err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if m.Token != "" {
		req.Header.Set("Authorization", "Bearer "+m.Token)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := m.Client.Do(req)
	if err != nil {
		return nil, domain.Errorf(domain.CodeUnavailable, "the cluster's manager cannot be reached: %s", outbound.Reason(err)).Because(err)
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, domain.Errorf(domain.CodeUnavailable, "the cluster's manager broke off its answer").Because(err)
	}
	if len(answer) > maxAnswer {
		return nil, domain.Errorf(domain.CodeUnavailable, "the cluster's manager answers more than %d bytes", maxAnswer)
	}
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return answer, nil
	}
	code := domain.CodeConflict // it will not do it
	if res.StatusCode >= 500 || res.StatusCode == http.StatusTooManyRequests || res.StatusCode == http.StatusRequestTimeout {
		code = domain.CodeUnavailable // it may, later
	}
	return nil, domain.Errorf(code, "the cluster's manager answers %d", res.StatusCode).Because(&refusal{res.StatusCode})
}
