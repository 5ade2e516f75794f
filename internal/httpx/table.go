package httpx

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"
)

// table finds the operation for a request: mount by prefix, paths without
// parameters by map, else first segment and number of segments by map. The few
// routes that are left are tried in order, segment by segment; where there are
// patterns, and to tell what else a path allows, by gorilla/mux.
type table struct {
	opts   *Options
	mounts []*mountTable // longest prefix first
	extra  []extraHandler
	meters *meters
	cors   *cors
	tracer *tracing
	recent *recent
}

type mountTable struct {
	mount    *Mount
	static   map[string]*pathGroup // paths without parameters
	segments map[segmentKey]*mux.Router
	plain    map[segmentKey][]*pathGroup // the same without patterns, in mux's order
	deep     map[string]*mux.Router      // segments with a "{name:.+}" route: any depth
}

type segmentKey struct {
	name  string
	depth int // number of segments
}

// pathGroup is all the operations of one path; it is the handler that mux finds.
type pathGroup struct {
	template string   // with the prefix, parameters named {0}, {1}…
	segments []string // of the template below the mount, "" for a parameter
	names    []string
	methods  map[string]*operation
}

// ServeHTTP implements http.Handler; mux only finds a group, the table runs it.
func (*pathGroup) ServeHTTP(http.ResponseWriter, *http.Request) {}

// Freeze closes the registration and builds the table.
func (r *Router) Freeze() {
	r.freeze.Do(func() {
		t := &table{opts: &r.opts, extra: r.extra, cors: newCORS(r.opts.Origins), tracer: newTracing(r.opts.Tracing), recent: newRecent()}
		slices.SortFunc(t.extra, func(a, b extraHandler) int { return cmp.Compare(len(b.prefix), len(a.prefix)) })
		t.meters = newMeters(r.opts.Metrics)
		byMount := map[string][]*pathGroup{}
		mounts := map[string]*Mount{}
		groups := map[string]*pathGroup{}
		for _, o := range r.ops {
			o.meters = t.meters.of(o)
			template := numbered(o.full)
			g := groups[template]
			if g == nil {
				g = &pathGroup{template: template, names: o.params, methods: map[string]*operation{}}
				groups[template] = g
				prefix := o.Mount.Prefix
				byMount[prefix] = append(byMount[prefix], g)
				if known := mounts[prefix]; known == nil || known.OpenAI { // unknown routes answer as most of the prefix does
					mounts[prefix] = o.Mount
				}
			}
			if other := g.methods[o.Method]; other != nil {
				panic(fmt.Sprintf("httpx: %s %s is registered at %s and %s", o.Method, o.full, other.Source, o.Source))
			}
			g.methods[o.Method] = o
		}
		for prefix, groups := range byMount {
			t.mounts = append(t.mounts, newMountTable(mounts[prefix], groups))
		}
		slices.SortFunc(t.mounts, func(a, b *mountTable) int {
			return cmp.Compare(len(b.mount.Prefix), len(a.mount.Prefix))
		})
		r.table = t
	})
}

// ServeHTTP implements http.Handler.
func (r *Router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.Freeze()
	r.table.ServeHTTP(w, req)
}

func newMountTable(m *Mount, groups []*pathGroup) *mountTable {
	t := &mountTable{
		mount: m, static: map[string]*pathGroup{}, segments: map[segmentKey]*mux.Router{}, deep: map[string]*mux.Router{},
		plain: map[segmentKey][]*pathGroup{},
	}
	patterned := map[segmentKey]bool{}
	slices.SortStableFunc(groups, func(a, b *pathGroup) int { return compareTemplates(a.template, b.template) })
	for _, g := range groups {
		if len(g.names) == 0 {
			t.static[g.template] = g
			continue
		}
		first, depth := firstSegment(g.template[len(m.Prefix):])
		if strings.HasPrefix(first, "{") {
			panic(fmt.Sprintf("httpx: %s: the first segment after the mount cannot be a parameter", g.template))
		}
		var routes *mux.Router
		if strings.Contains(g.template, ":.+}") {
			routes = cmp.Or(t.deep[first], newMux())
			t.deep[first] = routes
		} else {
			key := segmentKey{first, depth}
			routes = cmp.Or(t.segments[key], newMux())
			t.segments[key] = routes
			var plain bool
			g.segments, plain = plainSegments(g.template[len(m.Prefix)+1:])
			patterned[key] = patterned[key] || !plain
			t.plain[key] = append(t.plain[key], g)
		}
		routes.Handle(strings.NewReplacer("{", "{p").Replace(g.template), g).Methods(g.allowed()...)
	}
	for key := range patterned {
		if patterned[key] {
			delete(t.plain, key)
		}
	}
	return t
}

// plainSegments splits a template, with "" for a parameter. It returns false when
// a segment is neither literal nor a parameter without a pattern.
func plainSegments(template string) ([]string, bool) {
	segments := strings.Split(template, "/")
	for i, segment := range segments {
		switch inner := strings.TrimSuffix(strings.TrimPrefix(segment, "{"), "}"); {
		case segment == "" || len(inner) < len(segment)-2 || strings.ContainsAny(inner, "{}:"):
			return nil, false
		case len(inner) == len(segment)-2:
			segments[i] = ""
		case len(inner) != len(segment):
			return nil, false
		}
	}
	return segments, true
}

// values returns the parameters of a path below the mount, which has as many
// segments as the group; false when it is not the group's.
func (g *pathGroup) values(path string) ([]string, bool) {
	var found [len(paramNames)]string
	n := 0
	for _, want := range g.segments {
		var segment string
		segment, path, _ = strings.Cut(path, "/")
		switch {
		case want == "" && segment != "":
			found[n] = segment
			n++
		case want != segment || want == "":
			return nil, false
		}
	}
	return slices.Clone(found[:n]), true
}

// allowed lists the methods of a path; HEAD comes with GET.
func (g *pathGroup) allowed() []string {
	methods := slices.Collect(maps.Keys(g.methods))
	if g.methods[http.MethodGet] != nil && g.methods[http.MethodHead] == nil {
		methods = append(methods, http.MethodHead)
	}
	return methods
}

// operation returns the operation of a method, nil when there is none. HEAD is
// served as GET; net/http leaves out the body.
func (g *pathGroup) operation(method string) *operation {
	if op := g.methods[method]; op != nil || method != http.MethodHead {
		return op
	}
	return g.methods[http.MethodGet]
}

func newMux() *mux.Router { return mux.NewRouter() }

// firstSegment returns the first segment of a path and how many it has.
func firstSegment(path string) (string, int) {
	path = strings.TrimPrefix(path, "/")
	first, _, _ := strings.Cut(path, "/")
	return first, strings.Count(path, "/") + 1
}

// compareTemplates orders routes so that the more special comes first: a
// literal segment before a parameter, a parameter before the rest of a path.
func compareTemplates(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	rank := func(s string) int {
		switch {
		case strings.HasSuffix(s, ":.+}"):
			return 2
		case strings.HasPrefix(s, "{"):
			return 1
		}
		return 0
	}
	for i := range min(len(x), len(y)) {
		if c := cmp.Compare(rank(x[i]), rank(y[i])); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(y), len(x))
}

// pathParams lists the names of a path's parameters.
func pathParams(path string) []string {
	var names []string
	for segment := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(segment, "{") {
			name, _, _ := strings.Cut(strings.Trim(segment, "{}"), ":")
			names = append(names, name)
		}
	}
	return names
}

// numbered replaces the names of a path's parameters by their number, so that
// paths which differ only in those names are recognised as the same.
func numbered(path string) string {
	segments := strings.Split(path, "/")
	n := 0
	for i, segment := range segments {
		if !strings.HasPrefix(segment, "{") {
			continue
		}
		_, pattern, ok := strings.Cut(strings.TrimSuffix(segment, "}"), ":")
		segments[i] = "{" + strconv.Itoa(n)
		if ok {
			segments[i] += ":" + pattern
		}
		segments[i] += "}"
		n++
	}
	return strings.Join(segments, "/")
}

// mountOf returns the mount that a path lies under.
func (t *table) mountOf(path string) *mountTable {
	for _, m := range t.mounts {
		p := m.mount.Prefix
		if strings.HasPrefix(path, p) && (len(path) == len(p) || path[len(p)] == '/') {
			return m
		}
	}
	return nil
}

// match finds the operation of a request and its path parameters. Without an
// operation, allowed lists the methods that the path has.
func (m *mountTable) match(r *http.Request) (op *operation, params []string, allowed []string) {
	probe, escaped := r, false
	if r.URL.RawPath != "" { // an escaped slash belongs to a parameter
		escaped = true
		probe = &http.Request{Method: r.Method, URL: &url.URL{Path: r.URL.EscapedPath()}}
	}
	if g := m.static[probe.URL.Path]; g != nil {
		if op = g.operation(r.Method); op != nil {
			return op, nil, nil
		}
		allowed = g.allowed()
	}
	below := strings.TrimPrefix(probe.URL.Path[min(len(m.mount.Prefix), len(probe.URL.Path)):], "/")
	first, depth := firstSegment(below)
	if !escaped {
		for _, g := range m.plain[segmentKey{first, depth}] {
			if op = g.operation(r.Method); op == nil {
				continue
			}
			if params, ok := g.values(below); ok {
				return op, params, nil
			}
		}
	}
	for _, routes := range [...]*mux.Router{m.segments[segmentKey{first, depth}], m.deep[first]} {
		if routes == nil {
			continue
		}
		var found mux.RouteMatch
		if routes.Match(probe, &found) && found.MatchErr == nil {
			g := found.Handler.(*pathGroup)
			return g.operation(r.Method), pathValues(&found, len(g.names), escaped), nil
		}
		if found.MatchErr == mux.ErrMethodMismatch {
			allowed = append(allowed, methodsOf(routes, probe)...)
		}
	}
	slices.Sort(allowed)
	return nil, nil, slices.Compact(allowed)
}

func pathValues(found *mux.RouteMatch, n int, escaped bool) []string {
	if n == 0 {
		return nil
	}
	values := make([]string, n)
	for i := range values {
		v := found.Vars[paramNames[i]]
		if escaped {
			if plain, err := url.PathUnescape(v); err == nil {
				v = plain
			}
		}
		values[i] = v
	}
	return values
}

// paramNames are the names that mux knows the parameters by.
var paramNames = func() (names [16]string) {
	for i := range names {
		names[i] = "p" + strconv.Itoa(i)
	}
	return
}()

// methodsOf lists the methods of the routes that match a path.
func methodsOf(routes *mux.Router, r *http.Request) []string {
	var out []string
	for _, method := range [...]string{
		http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut,
	} {
		var found mux.RouteMatch
		probe := &http.Request{Method: method, URL: r.URL}
		if routes.Match(probe, &found) && found.MatchErr == nil {
			out = append(out, method)
		}
	}
	return out
}
