//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"
)

func TestPrompts(t *testing.T) {
	c := onShared(t)
	p := c.Create(t, "/api/v1/prompts", object{
		"name": "Greeting", "template": "Hello {{name}}, welcome to {{place}}.", "tags": []string{"friendly"},
		"variables": []object{{"name": "name", "type": "string", "required": true}, {"name": "place", "type": "string", "default": "Strata"}},
	})
	p.Want("data.version", 1, "data.status", "draft")
	path := "/api/v1/prompts/" + p.Str("data.id")

	v2 := c.Put(t, path, object{"template": "Good day {{name}}!"}).Want("data.version", 2, "data.name", "Greeting")
	c.Put(t, path, object{"status": "active"}).Want("data.version", 2, "data.status", "active")
	v3 := c.Create(t, path+"/versions", object{"template": "Hi {{name}} {{who}}", "changelog": "shorter"}).
		Want("data.version", 3, "data.changelog", "shorter", "data.template", "Hi {{name}} {{who}}")
	c.Get(t, path, v2.After()...)
	got := c.Get(t, path+"/versions", v3.After()...)
	if n := len(got.List("data")); n != 3 {
		t.Errorf("%d versions: %s", n, got.Short())
	}
	c.Get(t, path+"/versions/1").Want("data.version", 1, "data.template", "Hello {{name}}, welcome to {{place}}.")
	c.Do(t, http.StatusNotFound, "GET", path+"/versions/9", nil)

	c.Post(t, path+"/render", object{"variables": object{"name": "Ann"}}).
		Want("data.version", 3, "data.missing.0", "who")
	c.Post(t, path+"/render", object{"variables": object{"name": "Ann"}, "version": 1}).
		Want("data.rendered", "Hello Ann, welcome to Strata.", "data.version", 1)

	restored := c.Post(t, path+"/versions/1/restore", object{})
	restored.Want("data.template", "Hello {{name}}, welcome to {{place}}.")
	c.Post(t, path+"/render", object{"variables": object{"name": "Bob", "place": "Rome"}}, restored.After()...).
		Want("data.rendered", "Hello Bob, welcome to Rome.")
	if v := restored.Int("data.version"); v != 4 {
		t.Errorf("a restored version is number %d, want a new one, 4", v)
	}

	for i := range 3 {
		c.Create(t, "/api/v1/prompts", object{"name": fmt.Sprint("P", i), "template": "x", "tags": []string{"friendly", fmt.Sprint("t", i)}})
	}
	last := c.Create(t, "/api/v1/prompts", object{"name": "last", "template": "x"})
	if n := len(c.Get(t, "/api/v1/prompts?tag=friendly", last.After()...).List("data")); n != 4 {
		t.Errorf("%d prompts with the tag, want 4", n)
	}
	c.Do(t, http.StatusBadRequest, "POST", "/api/v1/prompts", object{"name": "", "template": "{{x}", "variables": []object{{"name": "1"}}}).
		Want("error.code", "VALIDATION_ERROR")
	gone := c.Delete(t, path).Want("data.deleted", true)
	c.Do(t, http.StatusNotFound, "GET", path, nil, gone.After()...)
	c.Do(t, http.StatusNotFound, "GET", path+"/versions", nil)
	c.Do(t, http.StatusNotFound, "POST", path+"/render", object{"variables": object{}})
}
