//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"strata/test/kit"
)

// plainKind is a resource of the Inference API as its users know it.
type plainKind struct {
	path    string
	create  object
	faults  []string // fields that an empty create misses
	update  object
	updated []any // pairs of what an update changed
	fields  []string
	silent  bool // a delete has no body
	pages   bool // page and page_size in place of limit and after
	stamped bool // created_by and updated_by are documented
}

var plainKinds = []plainKind{
	{path: "action-groups", create: object{"name": "Retention", "description": "d"}, faults: []string{"name", "description"},
		update: object{"description": "e"}, updated: []any{"description", "e", "name", "Retention"}, fields: []string{"id", "name", "description"}},
	{path: "actions", create: object{"name": "Discount", "description": "d", "type": "discount", "priority": "very_high", "start_date": "2026-01-01T00:00:00Z"},
		faults: []string{"name", "description", "type", "priority"},
		update: object{"group": "agr_1", "end_date": "2026-02-01T00:00:00Z", "status": "active"}, updated: []any{"group", "agr_1", "status", "active", "priority", "very_high"},
		fields: []string{"id", "channel", "channel_template", "custom_insights", "end_date", "group", "model_id", "start_date", "status", "type"}},
	{path: "data-models", create: object{"name": "Churn"}, faults: []string{"name"}, update: object{"description": "clients"},
		updated: []any{"description", "clients", "name", "Churn"}, fields: []string{"id", "name", "description"}},
	{path: "experts", create: object{"name": "Tax", "description": "d", "tools": []object{{"name": "tax"}}, "file_context": []object{{"name": "f", "content": "c"}}},
		faults: []string{"name", "description"}, update: object{"context": "You know tax."}, updated: []any{"context", "You know tax.", "tools.0.name", "tax"},
		fields: []string{"id", "context", "file_context", "tools"}, silent: true},
	{path: "personas", create: object{"name": "Ada", "birthdate": "1985-12-10", "notes": "n"}, faults: []string{"name", "birthdate", "notes"},
		update: object{"data": object{"cityName": "London"}}, updated: []any{"data.cityName", "London", "birthdate", "1985-12-10"},
		fields: []string{"id", "data", "notes"}, silent: true, stamped: true},
	{path: "benchmarks", create: object{"name": "Q4", "description": "d", "task": "classification", "metrics": []string{"ks", "gini"}, "connectors": []object{{"connector_id": "con_1", "target": "y"}}},
		faults: []string{"name", "description", "task", "metrics", "connectors"},
		update: object{"connector": "con_2"}, updated: []any{"connectors.0.connector_id", "con_2", "connectors.0.target", "y", "metrics.1", "gini"},
		fields: []string{"id", "connectors", "metrics", "task"}, pages: true, stamped: true},
}

func TestPlainKinds(t *testing.T) {
	for _, k := range plainKinds {
		t.Run(k.path, func(t *testing.T) {
			c, stranger := onShared(t), onShared(t)
			made := c.Create(t, "/v1/"+k.path, k.create)
			k.shown(t, made)
			path := "/v1/" + k.path + "/" + made.Str("id")
			k.shown(t, c.Get(t, path, made.After()...))
			changed := c.Put(t, path, k.update).Want(k.updated...)
			c.Get(t, path, changed.After()...).Want(k.updated...)
			missing := c.Do(t, http.StatusBadRequest, "POST", "/v1/"+k.path, object{})
			if got := missing.Strings("details", "field"); !sameSet(got, k.faults) {
				t.Errorf("faults of nothing: %v, want %v", got, k.faults)
			}
			c.Do(t, http.StatusBadRequest, "PUT", path, object{"name": nil}).Want("details.0.field", "name")
			anonymous := kit.Client{URL: c.URL, HTTP: c.HTTP}
			anonymous.Do(t, http.StatusUnauthorized, "GET", path, nil)
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				var body any
				if method == "PUT" {
					body = k.update
				}
				stranger.Do(t, http.StatusNotFound, method, path, body, changed.After()...)
			}
			enveloped := c.Get(t, "/api/v1/"+k.path+"/"+made.Str("id"), changed.After()...)
			enveloped.Want("success", true, "data.name", k.create["name"])
			if _, ok := enveloped.Lookup("data.createdAt"); !ok {
				t.Errorf("no envelope: %s", enveloped.Short())
			}
			k.deleted(t, c, path, made.Str("id"))
			k.pagesThrough(t, c)
		})
	}
}

// shown checks that a documented field is there even when it was not given.
func (k *plainKind) shown(t *testing.T, a *kit.Answer) {
	t.Helper()
	fields := append([]string{"created_at", "updated_at"}, k.fields...)
	if k.stamped {
		fields = append(fields, "created_by", "updated_by")
	}
	for _, f := range fields {
		if v, ok := a.Lookup(f); !ok || v == nil {
			t.Errorf("%s shows no %s: %s", a.Request, f, a.Short())
		}
	}
}

func (k *plainKind) deleted(t *testing.T, c tenant, path, id string) {
	t.Helper()
	status := http.StatusOK
	if k.silent {
		status = http.StatusNoContent
	}
	gone := c.Do(t, status, "DELETE", path, nil)
	if k.silent && len(gone.Body) > 0 {
		t.Errorf("a body: %s", gone.Short())
	}
	if !k.silent {
		gone.Want("id", id)
	}
	c.Do(t, http.StatusNotFound, "GET", path, nil, gone.After()...).Want("code", "NOT_FOUND")
	c.Do(t, http.StatusNotFound, "DELETE", path, nil)
}

// pagesThrough makes 23 and reads them in pages of ten, as documented.
func (k *plainKind) pagesThrough(t *testing.T, c tenant) {
	t.Helper()
	var last *kit.Answer
	for i := range 23 {
		body := object{}
		for name, v := range k.create {
			body[name] = v
		}
		body["name"] = fmt.Sprintf("n%02d", i)
		last = c.Create(t, "/v1/"+k.path, body)
	}
	var names []string
	next := ""
	for page := 1; ; page++ {
		a := c.Get(t, "/v1/"+k.path+"?sort=name&order=asc"+next, last.After()...)
		got := a.Strings("data", "name")
		names = append(names, got...)
		want := min(10, 23-10*(page-1))
		a.Want("count", want, "has_more", page < 3)
		if page == 3 || len(got) != want {
			break
		}
		next = fmt.Sprintf("&page=%d", page+1)
		if !k.pages {
			next = "&after=" + a.Str(fmt.Sprintf("data.%d.id", len(got)-1))
		}
	}
	if got := strings.Join(names, " "); len(names) != 23 || names[0] != "n00" || names[22] != "n22" {
		t.Errorf("pages show %s", got)
	}
}

func sameSet(a, b []string) bool {
	in := map[string]int{}
	for _, v := range a {
		in[v]++
	}
	for _, v := range b {
		in[v]--
	}
	for _, n := range in {
		if n != 0 {
			return false
		}
	}
	return true
}

func TestPlainKindsRefuse(t *testing.T) {
	c := onShared(t)
	action := object{"name": "n", "description": "d", "type": "t", "priority": "urgent", "status": "gone", "group": "agr_1"}
	a := c.Do(t, http.StatusBadRequest, "POST", "/v1/actions", action)
	if got := a.Strings("details", "field"); !sameSet(got, []string{"priority", "status", "group"}) {
		t.Errorf("%v: %s", got, a.Short())
	}
	c.Do(t, http.StatusBadRequest, "POST", "/v1/personas", object{"name": "n", "birthdate": "10.12.1985", "notes": "n"}).
		Want("details.0.field", "birthdate")
	c.Do(t, http.StatusBadRequest, "POST", "/v1/benchmarks", object{"name": "n", "description": "d", "task": "t",
		"metrics": []string{"f1", "mse"}, "connectors": []object{{}}})
	c.Do(t, http.StatusBadRequest, "GET", "/v1/benchmarks?page=0", nil)
	c.Do(t, http.StatusBadRequest, "GET", "/v1/actions?status=gone", nil)
}
