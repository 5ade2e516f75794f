//go:build e2e

package conformance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"strata/test/kit"
)

// probe says how one documented operation is tried. What can be derived from its row
// (statuses, fields, faults, strangers, pages) is checked for all alike.
type probe struct {
	status int // of success; 0: 200
	// path makes what the operation is about and returns the path's parameters.
	path func(w *world) map[string]string
	// body is a whole valid body.
	body  func(w *world) object
	query string // that the valid call needs, "?…"
	// send replaces the call, for bodies that are not JSON or must be signed.
	send func(w *world, path string, body object) *kit.Answer
	// settle waits after the call was prepared, for what is shown late.
	settle func(w *world, path string)
	// absent names documented fields that this answer may lack, and why.
	absent map[string]string
	// list says how the answer's list is filled and filtered.
	list *listing
	// nobody says why an unknown or foreign id is not 404 here; visible why another
	// workspace of the organization sees it.
	nobody, visible string
}

// listing says how a list is tried.
type listing struct {
	fill func(w *world) []string // makes at least three items; returns what their id field holds
	id   string                  // the field that identifies an item; default "id"
	body func(w *world) object   // of lists that are asked for with POST
	// filters has, for each documented parameter that is no paging, a value that finds
	// the first item and one that does not find it. An empty miss: a value that is refused.
	filters map[string]filter
	one     bool // the whole list is one page, and cannot be cut
	shared  bool // the list is the same for every workspace
}

type filter struct {
	hit  func(w *world) string
	miss string
	why  string // there is no miss, because
}

var pagingNames = []string{"limit", "after", "page", "page_size", "pageSize"}

// whole is the test over all operations, for what all of them share.
var whole *testing.T

// Every documented operation does what its row says.
func TestEveryDocumentedOperation(t *testing.T) {
	whole = t
	ops, err := ReadOperations("testdata/operations.tsv")
	if err != nil {
		t.Fatal(err)
	}
	resources, err := ReadResources("testdata/resources.tsv")
	if err != nil {
		t.Fatal(err)
	}
	shape := Shape{Resources: resources, Absent: absentInResources}
	all := maps.Clone(inferenceProbes)
	maps.Copy(all, flotorchProbes)
	total, covered := map[string]int{}, map[string]int{}
	for _, op := range ops {
		total[op.Product]++
		ran := false // -run may leave it out
		ok := t.Run(op.Product+" "+op.Method+" "+strings.ReplaceAll(op.Path[1:], "/", "."), func(t *testing.T) {
			ran = true
			p, known := all[op.Name()]
			if !known {
				t.Fatal("nobody tries this operation")
			}
			(&trial{op: op, probe: p, shape: shape}).run(newWorld(t))
		})
		if ok && ran {
			covered[op.Product]++
		}
		delete(all, op.Name())
	}
	for name := range all {
		t.Errorf("%s is tried, but not documented", name)
	}
	for _, product := range slices.Sorted(maps.Keys(total)) {
		fmt.Printf("conformance: %s %d/%d\n", product, covered[product], total[product])
	}
}

// trial tries one operation.
type trial struct {
	op Operation
	probe
	shape Shape
}

func (c *trial) run(w *world) {
	if c.list != nil {
		c.tryList(w)
	} else {
		c.tryCall(w)
	}
	stranger := newWorld(w.t)
	w.t.Run("without a key", func(t *testing.T) { c.tryAnonymous(w.in(t)) })
	if strings.Contains(c.op.Path, "{") {
		w.t.Run("nobody's and others'", func(t *testing.T) { c.tryForeign(w.in(t), stranger.in(t)) })
	}
	if c.body != nil {
		w.t.Run("required fields", func(t *testing.T) { c.tryRequired(w.in(t)) })
		w.t.Run("enums", func(t *testing.T) { c.tryEnums(w.in(t)) })
	}
	w.t.Run("values of parameters", func(t *testing.T) { c.tryQueryEnums(w.in(t)) })
}

// target is the path with fresh parameters, and the body that goes with it.
func (c *trial) target(w *world) (path string, body object) {
	path = c.op.Path
	if c.path != nil {
		path = fill(path, c.path(w))
	}
	if c.body != nil {
		body = c.body(w)
	}
	return path, body
}

func (c *trial) call(w *world, path string, body object) *kit.Answer {
	if c.send != nil {
		return c.send(w, path, body)
	}
	if body == nil {
		return w.send(c.op.Method, path+c.query, nil)
	}
	return w.send(c.op.Method, path+c.query, body)
}

func (c *trial) tryCall(w *world) {
	w.t.Helper()
	path, body := c.target(w)
	if c.settle != nil {
		c.settle(w, path)
	}
	a := c.call(w, path, body)
	c.checkAnswer(w, a)
}

func (c *trial) checkAnswer(w *world, a *kit.Answer) {
	w.t.Helper()
	if want := cmp.Or(c.status, http.StatusOK); a.Status != want {
		w.t.Fatalf("%s: status %d, want %d: %s", a.Request, a.Status, want, a.Short())
	}
	if c.status == http.StatusNoContent {
		if len(a.Body) > 0 {
			w.t.Errorf("%s: a body with 204: %s", a.Request, a.Short())
		}
		return
	}
	shape := c.shape
	shape.Absent = maps.Clone(shape.Absent)
	maps.Copy(shape.Absent, c.absent)
	for _, fault := range shape.Check(a.JSON, c.op.Answer) {
		w.t.Errorf("%s: %s", a.Request, fault)
	}
	if w.t.Failed() {
		w.t.Logf("%s: %s", a.Request, a.Short())
	}
}

func (c *trial) tryAnonymous(w *world) {
	path := c.op.Path
	a, err := shared.ClientFor("").Call(w.t.Context(), c.op.Method, path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if a.Status != http.StatusUnauthorized {
		w.t.Errorf("%s: %d without a key: %s", a.Request, a.Status, a.Short())
	}
}

// tryForeign asks for what is not there and for what another workspace has.
func (c *trial) tryForeign(w, stranger *world) {
	if c.nobody != "" {
		return
	}
	unknown := c.op.Path
	for strings.Contains(unknown, "{") {
		from, to := strings.IndexByte(unknown, '{'), strings.IndexByte(unknown, '}')
		unknown = unknown[:from] + "nobody_0" + unknown[to+1:]
	}
	path, body := c.target(w)
	if a := c.call(w, unknown, body); a.Status != http.StatusNotFound {
		w.t.Errorf("%s, which is nobody's: %d %s", unknown, a.Status, a.Short())
	}
	if c.visible != "" {
		return
	}
	if a := c.call(stranger, path, body); a.Status != http.StatusNotFound {
		w.t.Errorf("%s, which is another's: %d %s", path, a.Status, a.Short())
	}
}

// tryRequired leaves out each required field.
func (c *trial) tryRequired(w *world) {
	for _, f := range c.op.Request {
		if !f.Required {
			continue
		}
		path, body := c.target(w)
		if _, given := body[f.Name]; !given {
			w.t.Errorf("the body of the test lacks %s", f.Name)
		}
		delete(body, f.Name)
		c.refused(w, c.call(w, path, body), f.Name, "without "+f.Name)
	}
}

// tryEnums sends a value that no field with a list of values takes.
func (c *trial) tryEnums(w *world) {
	for _, f := range c.op.Request {
		if f.Enum == nil {
			continue
		}
		path, body := c.target(w)
		var wrong any = "no-such-value"
		if f.Elem() != "" {
			wrong = []string{"no-such-value"}
		}
		body[f.Name] = wrong
		c.refused(w, c.call(w, path, body), f.Name, "with a wrong "+f.Name)
	}
}

func (c *trial) tryQueryEnums(w *world) {
	for _, f := range c.op.Query {
		wrong := ""
		switch {
		case f.Enum != nil:
			wrong = "no-such-value"
		case f.Type == "integer":
			wrong = "many"
		case strings.HasSuffix(f.Name, "_date"):
			wrong = "yesterday"
		}
		if wrong == "" {
			continue
		}
		path, body := c.target(w)
		a := w.send(c.op.Method, path+kit.Query(f.Name, wrong), anything(body))
		c.refused(w, a, f.Name, "?"+f.Name+"="+wrong)
	}
}

func anything(body object) any {
	if body == nil {
		return nil
	}
	return body
}

// refused checks that an answer is a 400 that names a field.
func (c *trial) refused(w *world, a *kit.Answer, field, what string) {
	w.t.Helper()
	if a.Status != http.StatusBadRequest {
		w.t.Errorf("%s %s: status %d, want 400: %s", a.Request, what, a.Status, a.Short())
		return
	}
	named := slices.ContainsFunc(named(a), func(n string) bool {
		return n == field || strings.HasPrefix(n, field+"[") || strings.HasPrefix(n, field+".")
	})
	if !named {
		w.t.Errorf("%s %s: the error does not name it: %s", a.Request, what, a.Short())
	}
}

// named lists the fields an error names, in either form of errors.
func named(a *kit.Answer) []string {
	var out []string
	if list, ok := a.Lookup("details"); ok {
		for i := range list.([]any) {
			v, _ := a.Lookup("details." + strconv.Itoa(i) + ".field")
			out = append(out, fmt.Sprint(v))
		}
	}
	if v, ok := a.Lookup("error.param"); ok {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// items are the identifiers of a list's items.
func (c *trial) items(w *world, a *kit.Answer) []string {
	w.t.Helper()
	rows, ok := a.JSON.([]any)
	if !ok {
		rows = a.List("data")
	}
	if nested := len(c.op.Answer) > 0 && strings.HasPrefix(c.op.Answer[0].Name, "[][]"); nested {
		var flat []any
		for _, r := range rows {
			flat = append(flat, r.([]any)...)
		}
		rows = flat
	}
	var out []string
	for _, r := range rows {
		text, err := json.Marshal(r.(object)[cmp.Or(c.list.id, "id")])
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, strings.Trim(string(text), `"`))
	}
	return out
}
