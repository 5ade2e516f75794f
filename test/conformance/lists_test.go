//go:build e2e

package conformance

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"strata/test/kit"
)

// tryList fills a list, reads it as a whole and in pages, by every filter, and as
// somebody else.
func (c *trial) tryList(w *world) {
	w.t.Helper()
	want := c.list.fill(w)
	path := c.op.Path
	if c.path != nil {
		path = fill(path, c.path(w))
	}
	var whole *kit.Answer
	w.eventually("the list shows what was made", func() error {
		whole = c.ask(w, path, nil)
		if whole.Status != http.StatusOK {
			return fmt.Errorf("%s: %d %s", whole.Request, whole.Status, whole.Short())
		}
		got := c.items(w, whole)
		for _, id := range want {
			if !slices.Contains(got, id) {
				return fmt.Errorf("%s lacks %s: %v", whole.Request, id, got)
			}
		}
		return nil
	})
	c.checkAnswer(w, whole)
	c.tryPages(w, path, c.items(w, whole))
	c.tryFilters(w, path, want)
	if c.list.shared {
		return
	}
	stranger := newWorld(w.t)
	a := c.ask(stranger, path, nil)
	if a.Status == http.StatusNotFound {
		return
	}
	if a.Status != http.StatusOK {
		w.t.Errorf("%s as somebody else: %d %s", a.Request, a.Status, a.Short())
		return
	}
	for _, id := range c.items(stranger, a) {
		if slices.Contains(want, id) {
			w.t.Errorf("%s shows %s to another workspace", a.Request, id)
		}
	}
}

// ask reads a list with parameters.
func (c *trial) ask(w *world, path string, params map[string]string) *kit.Answer {
	w.t.Helper()
	if c.list.body == nil {
		q := url.Values{}
		for name, value := range params {
			q.Set(name, value)
		}
		if len(q) > 0 {
			path += "?" + q.Encode()
		}
		return w.send(c.op.Method, path, nil)
	}
	body := c.list.body(w)
	for name, value := range params {
		if name == "limit" {
			body[name] = 1
			continue
		}
		body[name] = value
	}
	return w.send(c.op.Method, path, body)
}

// tryPages reads the list one item at a time and compares it with the whole.
func (c *trial) tryPages(w *world, path string, whole []string) {
	w.t.Helper()
	if c.list.one {
		return
	}
	fields := c.op.Query
	if c.list.body != nil {
		fields = c.op.Request
	}
	has := func(name string) bool {
		return slices.ContainsFunc(fields, func(f Field) bool { return f.Name == name })
	}
	var got []string
	switch {
	case has("after"):
		got = c.walkAfter(w, path, len(whole))
	case has("page"):
		size := "page_size"
		if has("pageSize") {
			size = "pageSize"
		}
		got = c.walkPages(w, path, size, len(whole))
	case has("limit"):
		got = c.items(w, c.ask(w, path, map[string]string{"limit": "1"}))
		if len(got) != 1 {
			w.t.Errorf("limit=1 answers %d items", len(got))
		}
		return
	default:
		return
	}
	if !slices.Equal(got, whole) {
		w.t.Errorf("one by one the list is\n%v, as a whole\n%v", got, whole)
	}
}

func (c *trial) walkAfter(w *world, path string, most int) []string {
	w.t.Helper()
	var got []string
	params := map[string]string{"limit": "1"}
	for len(got) < most {
		a := c.ask(w, path, params)
		items := c.items(w, a)
		if a.Status != http.StatusOK || len(items) > 1 {
			w.t.Fatalf("a page of one: %d %s", a.Status, a.Short())
		}
		got = append(got, items...)
		if more := a.Bool("has_more"); more != (len(got) < most) && !(more && c.list.shared) {
			w.t.Fatalf("has_more is %v after %d of %d", more, len(got), most)
		} else if !more {
			break
		}
		params["after"] = items[0]
	}
	return got
}

func (c *trial) walkPages(w *world, path, size string, most int) []string {
	w.t.Helper()
	var got []string
	for page := 1; page <= most; page++ {
		a := c.ask(w, path, map[string]string{"page": fmt.Sprint(page), size: "1"})
		items := c.items(w, a)
		if a.Status != http.StatusOK || len(items) != 1 {
			w.t.Fatalf("page %d of one: %d %s", page, a.Status, a.Short())
		}
		got = append(got, items...)
	}
	a := c.ask(w, path, map[string]string{"page": fmt.Sprint(most + 1), size: "1"})
	if n := len(c.items(w, a)); n != 0 {
		w.t.Errorf("there are %d items after the last page", n)
	}
	return got
}

// tryFilters tries every documented parameter that does not page.
func (c *trial) tryFilters(w *world, path string, want []string) {
	w.t.Helper()
	documented := map[string]bool{}
	fields := c.op.Query
	if c.list.body != nil {
		fields = c.op.Request
	}
	for _, f := range fields {
		if !slices.Contains(pagingNames, f.Name) {
			documented[f.Name] = true
		}
	}
	for name := range documented {
		if _, ok := c.list.filters[name]; !ok {
			w.t.Errorf("nobody tries the parameter %s", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.list.filters)) {
		f := c.list.filters[name]
		if f.hit == nil { // its values are no text
			continue
		}
		hit := c.ask(w, path, map[string]string{name: f.hit(w)})
		if hit.Status != http.StatusOK || !slices.Contains(c.items(w, hit), want[0]) {
			w.t.Errorf("%s=%s does not find %s: %s", name, f.hit(w), want[0], hit.Short())
			continue
		}
		if f.why != "" {
			continue
		}
		miss := c.ask(w, path, map[string]string{name: f.miss})
		if miss.Status != http.StatusOK || slices.Contains(c.items(w, miss), want[0]) {
			w.t.Errorf("%s=%s: %s", name, f.miss, strings.TrimSpace(miss.Short()))
		}
	}
}
