//go:build e2e

package conformance

import (
	"fmt"
	"net/http"
	"time"

	"strata/test/kit"
)

// maker makes resources of a documented collection.
type maker struct {
	path string // "/v1/actions"
	body func(w *world) object
}

// one makes a resource and returns its id.
func (m maker) one(w *world) string {
	w.t.Helper()
	return w.must(http.MethodPost, m.path, m.body(w), "id")
}

// id is one as a path parameter.
func (m maker) id(w *world) map[string]string { w.t.Helper(); return map[string]string{"id": m.one(w)} }

// three fills a list.
func (m maker) three(w *world) []string {
	w.t.Helper()
	return []string{m.one(w), m.one(w), m.one(w)}
}

var (
	groups = maker{"/v1/action-groups", func(w *world) object {
		return object{"name": w.name("Retention"), "description": "Keeps customers."}
	}}
	actions = maker{"/v1/actions", func(w *world) object {
		return object{"name": w.name("Offer"), "description": "A discount.", "priority": "high", "type": "offer", "status": "active",
			"channel": "email", "channel_template": "Dear {{name}}", "custom_insights": "likes mail", "model_id": "strata/extract-1",
			"start_date": "2026-01-01T00:00:00Z", "end_date": "2027-01-01T00:00:00Z"}
	}}
	dataModels = maker{"/v1/data-models", func(w *world) object {
		return object{"name": w.name("Churn"), "description": "Who leaves."}
	}}
	experts = maker{"/v1/experts", func(w *world) object {
		return object{"name": w.name("Tariffs"), "description": "Knows tariffs.", "context": "The basic tariff costs 10.",
			"file_context": []object{{"name": "tariffs.txt", "content": "basic: 10"}},
			"tools":        []object{{"name": "lookup", "description": "Looks a tariff up.", "parameters": object{"type": "object"}}}}
	}}
	personas = maker{"/v1/personas", func(w *world) object {
		return object{"name": w.name("Ada"), "birthdate": "1990-12-10", "notes": "Reads a lot.", "data": object{"city": "London"}}
	}}
)

// crud are the probes of a plain collection.
func crud(into map[string]probe, m maker, change object, gone int) {
	into["GET "+m.path] = probe{list: &listing{fill: m.three}}
	into["POST "+m.path] = probe{status: http.StatusCreated, body: m.body}
	into["GET "+m.path+"/{id}"] = probe{path: m.id}
	into["PUT "+m.path+"/{id}"] = probe{path: m.id, body: func(*world) object { return clone(change) }}
	into["DELETE "+m.path+"/{id}"] = probe{path: m.id, status: gone}
}

func clone(o object) object {
	out := object{}
	for k, v := range o {
		out[k] = v
	}
	return out
}

var inferenceProbes = func() map[string]probe {
	out := map[string]probe{}
	crud(out, groups, object{"description": "Keeps them longer."}, http.StatusOK)
	crud(out, actions, object{"status": "inactive", "group": "", "end_date": "2028-01-01T00:00:00Z"}, http.StatusOK)
	crud(out, dataModels, object{"description": "Who stays."}, http.StatusOK)
	crud(out, experts, object{"context": "The basic tariff costs 11."}, http.StatusNoContent)
	crud(out, personas, object{"notes": "Reads less."}, http.StatusNoContent)
	people(out)
	talks(out)
	learning(out)
	return out
}()

// literal is a filter's value.
func literal(text string) func(*world) string { return func(*world) string { return text } }

// timeFilters adds filters by time that every item of a test passes.
func timeFilters(into map[string]filter) map[string]filter {
	hour := func(n time.Duration) string { return time.Now().Add(n * time.Hour).UTC().Format(time.RFC3339) }
	into["start_date"] = filter{hit: literal(hour(-1)), why: "a time that begins after its end, now, is refused"}
	into["end_date"] = filter{hit: literal(hour(1)), miss: hour(-1)}
	return into
}

// logged waits until a number of calls is in the inference log and returns their ids.
func (w *world) logged(n int) []string {
	w.t.Helper()
	var ids []string
	w.eventually("the calls are in the inference log", func() error {
		a := w.send(http.MethodGet, "/v1/inference-logs", nil)
		if a.Status != http.StatusOK {
			return fmt.Errorf("%d %s", a.Status, a.Short())
		}
		ids = nil
		rows, _ := a.Lookup("data")
		list, _ := rows.([]any)
		for _, r := range list {
			ids = append(ids, fmt.Sprint(r.(object)["id"]))
		}
		return kit.Differ("calls", len(ids), n)
	})
	return ids
}
