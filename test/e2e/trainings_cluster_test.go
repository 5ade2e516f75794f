//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"strata/internal/inbound"
	"strata/test/kit"
)

// manager is a cluster's manager that remembers what it is asked.
type manager struct {
	mu    sync.Mutex
	down  int // requests that it does not answer
	calls []string
	jobs  []object
}

// ServeHTTP implements http.Handler.
func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down > 0 {
		m.down--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	m.calls = append(m.calls, r.Method+" "+r.URL.Path+" "+r.Header.Get("Idempotency-Key"))
	if r.Method == http.MethodPost {
		var job object
		if err := json.NewDecoder(r.Body).Decode(&job); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		m.jobs = append(m.jobs, job)
	}
	w.WriteHeader(http.StatusAccepted)
}

func (m *manager) asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.calls...)
}

// report sends a signed report about a training.
func (l lab) report(t *testing.T, secret string, status int, body object) *kit.Answer {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	now := fmt.Sprint(time.Now().Unix())
	return l.Do(t, status, "POST", "/v1/webhooks", json.RawMessage(text), "X-Webhook-Timestamp", now, "X-Webhook-Signature", inbound.Sign(secret, now, text))
}

// With a cluster registered, its manager is handed the training and tells how it
// goes, in any order.
func TestTrainingOnACluster(t *testing.T) {
	s := kit.Start(t, kit.Options{Env: []string{"STRATA_OUTBOUND_PRIVATE=127.0.0.0/8"}})
	l := newLab(t, s)
	m := &manager{down: 2}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	secret := l.Create(t, "/v1/clusters", object{"manager_url": server.URL, "ingress_url": server.URL}).Str("webhook_secret")
	id := l.Create(t, "/v1/trainings", l.wish("transformer", object{"layers": 12})).Str("id")
	l.until(t, id, "queued").Want("runner", "cluster")
	if got := m.asked(); len(got) != 1 || got[0] != "POST /trainings "+id+"-1" {
		t.Errorf("the manager was asked %v", got)
	}
	if job := m.jobs[0]; job["id"] != id || job["architecture"] != "transformer" || job["space"] != l.Workspace || job["configuration"].(object)["layers"] != 12.0 {
		t.Errorf("the manager was told %v", job)
	}
	at := func(seconds int) string {
		return time.Now().UTC().Add(time.Duration(seconds-60) * time.Second).Format(time.RFC3339)
	}
	l.report(t, secret, http.StatusOK, object{"id": id, "status": "running", "timestamp": at(20), "payload": object{
		"epochs": []object{{"epoch": 2, "metrics": object{"train_loss": 0.4}}}}}).Want("id", id)
	late := l.report(t, secret, http.StatusOK, object{"id": id, "status": "queued", "timestamp": at(10), "payload": object{
		"epochs": []object{{"epoch": 1, "metrics": object{"train_loss": 0.6}}}}})
	l.Get(t, "/v1/trainings/"+id, late.After()...).Want("status", "running", "metrics.0.epoch", 1, "metrics.1.epoch", 2)
	l.report(t, "whsec_wrong", http.StatusUnauthorized, object{"id": id, "status": "failed"})
	l.report(t, secret, http.StatusBadRequest, object{"id": id, "status": "lost"})
	done := l.report(t, secret, http.StatusOK, object{"id": id, "status": "succeeded", "timestamp": at(30), "payload": object{
		"checkpoints": []object{{"step": 2, "uri": "s3://models/2", "final": true, "metrics": object{"accuracy": 0.9}}}}})
	l.Get(t, "/v1/trainings/"+id, done.After()...).Want("status", "succeeded", "checkpoints.0.uri", "s3://models/2", "checkpoints.0.step", 2)
	other := l.Create(t, "/v1/trainings", l.wish("transformer", object{})).Str("id")
	l.until(t, other, "queued")
	l.Do(t, http.StatusOK, "POST", "/v1/trainings/"+other+"/cancel", object{}).Want("status", "cancelled")
	kit.Eventually(t, trained, "the manager to be told", func() error {
		if got := m.asked(); got[len(got)-1] != "DELETE /trainings/"+other+" " {
			return fmt.Errorf("%v", got)
		}
		return nil
	})
}
