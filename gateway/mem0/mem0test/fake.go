// Package mem0test is mem0's REST API as its documents describe it, in memory: the
// platform's and the open-source server's.
package mem0test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Fake is a mem0. Set it up before it is called.
type Fake struct {
	*httptest.Server
	Key      string           // that callers must show
	Platform bool             // its API, not the server's
	Async    bool             // additions are done after the answer
	Bare     bool             // lists are arrays, as older versions answer
	Now      func() time.Time // its clock

	mu       sync.Mutex
	memories []object
	events   map[string]object
	asked    []string
	answers  http.HandlerFunc // in place of mem0's own, when set
	number   int
}

type object = map[string]any

// New starts a mem0 that ends with the test.
func New(t testing.TB, platform bool) *Fake {
	t.Helper()
	f := &Fake{Key: "m0-s3cret", Platform: platform, Now: time.Now, events: map[string]object{}}
	mux := http.NewServeMux()
	if platform {
		mux.HandleFunc("POST /v1/memories/{$}", f.add)
		mux.HandleFunc("POST /v2/memories/{$}", f.list)
		mux.HandleFunc("POST /v2/memories/search/{$}", f.search)
		mux.HandleFunc("GET /v1/event/{id}/{$}", f.event)
		mux.HandleFunc("/v1/memories/{id}/{$}", f.one)
	} else {
		mux.HandleFunc("POST /memories", f.add)
		mux.HandleFunc("GET /memories", f.list)
		mux.HandleFunc("POST /search", f.search)
		mux.HandleFunc("/memories/{id}", f.one)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.asked = append(f.asked, r.Method+" "+r.URL.RequestURI())
		instead := f.answers
		f.mu.Unlock()
		if instead != nil { // without the lock: it may wait for the client to go
			instead(w, r)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		shown := r.Header.Get("X-API-Key")
		if platform {
			shown = strings.TrimPrefix(r.Header.Get("Authorization"), "Token ")
		}
		if shown != f.Key {
			answer(w, http.StatusUnauthorized, object{"detail": "Invalid API key"})
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// Answer makes every request be answered by h; nil: by mem0 again.
func (f *Fake) Answer(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers = h
}

// Asked tells what was asked for: methods and paths.
func (f *Fake) Asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

// Kept are the memories it keeps.
func (f *Fake) Kept() []map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.memories)
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller went away
}

func bodyOf(r *http.Request) object {
	body := object{}
	_ = json.NewDecoder(r.Body).Decode(&body) // no object is an empty one
	return body
}

var owners = []string{"user_id", "agent_id", "app_id", "run_id"}

func (f *Fake) add(w http.ResponseWriter, r *http.Request) {
	body := bodyOf(r)
	m := object{"metadata": body["metadata"]}
	owned := false
	for _, name := range owners {
		if id, ok := body[name].(string); ok && (f.Platform || name != "app_id") {
			m[name], owned = id, true
		}
	}
	messages, _ := body["messages"].([]any)
	if !owned || len(messages) == 0 {
		answer(w, http.StatusBadRequest, object{"detail": "At least one identifier is required."})
		return
	}
	f.number++
	first, _ := messages[0].(object)
	m["id"], m["memory"] = fmt.Sprintf("0d7f-%04d", f.number), first["content"]
	now := f.Now().UTC().Format(time.RFC3339Nano)
	m["created_at"], m["updated_at"] = now, nil
	if day, ok := body["expiration_date"].(string); ok {
		m["expiration_date"] = day
	}
	f.memories = append(f.memories, m)
	result := object{"id": m["id"], "event": "ADD", "memory": m["memory"]}
	if f.Platform {
		result = object{"id": m["id"], "event": "ADD", "data": object{"memory": m["memory"]}}
	}
	switch {
	case f.Async:
		event := fmt.Sprintf("evt-%d", f.number)
		f.events[event] = object{"id": event, "status": "PENDING", "results": []object{result}}
		answer(w, http.StatusOK, object{"message": "queued", "status": "PENDING", "event_id": event})
	case f.Platform:
		answer(w, http.StatusOK, []object{result})
	default:
		answer(w, http.StatusOK, object{"results": []object{result}})
	}
}

// event tells of an addition: under way when first asked, then done.
func (f *Fake) event(w http.ResponseWriter, r *http.Request) {
	e, ok := f.events[r.PathValue("id")]
	if !ok {
		answer(w, http.StatusNotFound, object{"detail": "Not found."})
		return
	}
	if e["status"] == "PENDING" {
		answer(w, http.StatusOK, object{"id": e["id"], "status": "PENDING"})
		e["status"] = "SUCCEEDED"
		return
	}
	answer(w, http.StatusOK, e)
}

func (f *Fake) one(w http.ResponseWriter, r *http.Request) {
	i := slices.IndexFunc(f.memories, func(m object) bool { return m["id"] == r.PathValue("id") })
	if i < 0 {
		switch {
		case f.Platform:
			answer(w, http.StatusNotFound, object{"error": "Memory not found!"})
		case r.Method == http.MethodGet:
			answer(w, http.StatusOK, nil)
		default:
			answer(w, http.StatusInternalServerError, object{"detail": "'NoneType' object has no attribute 'payload'"})
		}
		return
	}
	m := f.memories[i]
	switch r.Method {
	case http.MethodGet:
		answer(w, http.StatusOK, m)
	case http.MethodPut:
		body := bodyOf(r)
		m["memory"], m["updated_at"] = body["text"], f.Now().UTC().Format(time.RFC3339Nano)
		metadata, _ := body["metadata"].(object)
		for name, value := range metadata {
			if value == nil {
				delete(metadata, name)
			}
		}
		m["metadata"] = metadata
		answer(w, http.StatusOK, m)
	case http.MethodDelete:
		f.memories = slices.Delete(f.memories, i, i+1)
		w.WriteHeader(http.StatusNoContent)
	}
}

// within are the memories that a request asks for.
func (f *Fake) within(r *http.Request, body object) (found []object, ok bool) {
	var conditions []any
	any1 := false
	filters, _ := body["filters"].(object)
	switch {
	case !f.Platform:
		for _, name := range owners {
			if id := cmp.Or(r.URL.Query().Get(name), fmt.Sprint(cmp.Or(body[name], any("")))); id != "" {
				conditions = append(conditions, object{name: id})
			}
		}
	case filters["AND"] != nil:
		conditions, _ = filters["AND"].([]any)
	default:
		conditions, _ = filters["OR"].([]any)
		any1 = true
	}
	for _, m := range f.memories {
		n := 0
		for _, c := range conditions {
			for name, want := range c.(object) { //nolint:forcetypeassert // a fake
				if m[name] == want || want == "*" && m[name] != nil {
					n++
				}
			}
		}
		if n == len(conditions) || any1 && n > 0 {
			found = append(found, m)
		}
	}
	slices.Reverse(found)
	return found, len(conditions) > 0
}

func (f *Fake) list(w http.ResponseWriter, r *http.Request) {
	found, ok := f.within(r, bodyOf(r))
	if !ok {
		answer(w, http.StatusBadRequest, object{"detail": "At least one identifier is required."})
		return
	}
	if f.Bare {
		answer(w, http.StatusOK, found)
		return
	}
	out := object{"results": found}
	if f.Platform {
		size, _ := strconv.Atoi(r.URL.Query().Get("page_size"))
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		size = min(cmp.Or(size, 100), 2) // small pages, so that tests see several
		from := min((page-1)*size, len(found))
		to := min(from+size, len(found))
		out = object{"count": len(found), "next": nil, "previous": nil, "results": found[from:to]}
		if to < len(found) {
			out["next"] = fmt.Sprintf("%s/v2/memories/?page=%d", f.URL, page+1)
		}
	}
	answer(w, http.StatusOK, out)
}

func (f *Fake) search(w http.ResponseWriter, r *http.Request) {
	body := bodyOf(r)
	found, _ := f.within(r, body)
	query := strings.Fields(strings.ToLower(fmt.Sprint(body["query"])))
	var results []object
	for _, m := range found {
		hits := 0
		for _, word := range query {
			if strings.Contains(strings.ToLower(fmt.Sprint(m["memory"])), word) {
				hits++
			}
		}
		scored := object{"score": float64(hits) / float64(len(query)) * 0.9}
		for k, v := range m {
			scored[k] = v
		}
		results = append(results, scored)
	}
	if f.Bare {
		answer(w, http.StatusOK, results)
		return
	}
	answer(w, http.StatusOK, object{"results": results})
}
