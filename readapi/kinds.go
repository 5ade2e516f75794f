package readapi

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
	"strata/projections/query"
	"strata/projections/resources"
)

// kindOps registers the queries of one plain kind at one place.
type kindOps struct {
	*API
	kind  domain.AnyKind
	spec  *domain.KindSpec
	route domain.KindRoute
	mount *httpx.Mount
	noun  string
	shape view.Shape
}

func (a *API) kind(k domain.AnyKind) {
	spec := k.Spec()
	for _, route := range spec.Routes {
		o := &kindOps{API: a, kind: k, spec: spec, route: route, mount: httpx.API,
			noun: strings.ReplaceAll(spec.Name, "_", " "), shape: view.ShapeOf(k)}
		if route.Mount == "v1" {
			o.mount = httpx.V1
		}
		o.list()
		o.get()
		if k.ExportType() != nil {
			o.export()
		}
		if len(spec.Versions) > 0 {
			o.versions()
			o.version()
		}
	}
}

func (o *kindOps) op(verb, summary, permission, below string) httpx.Op {
	path := o.route.Path
	if below != "" {
		path += "/{" + o.param() + "}" + strings.TrimPrefix(below, ".")
	}
	return httpx.Op{
		ID: view.OperationID(verb, o.spec, o.route.Mount), Method: http.MethodGet, Path: path, Mount: o.mount, Tag: o.spec.Tag,
		Summary: summary, Description: o.spec.Doc, Permission: o.spec.Plural + ":" + permission, Reads: resources.Name,
		Result: o.kind.Type(), ResultExample: o.example(),
	}
}

func (o *kindOps) param() string { return cmp.Or(o.route.Param, "id") }

// exampleTime stands in the examples of documents.
var exampleTime = time.Date(2024, 1, 15, 10, 30, 0, 0, time.UTC)

func (o *kindOps) example() json.RawMessage {
	const who = "user_01jk2m3n4p5q6r7s8t9v0w1x2y"
	b, err := o.shape.Resource(&domain.Resource{ID: o.spec.Prefix + "_01jk2m3n4p5q6r7s8t9v0w1x2y", Doc: o.kind.ExampleDoc(),
		Version: 1, CreatedAt: exampleTime, UpdatedAt: exampleTime, CreatedBy: who, UpdatedBy: who})
	if err != nil { // an example is a literal in our own code
		panic(err)
	}
	return b
}

var pagings = map[string]httpx.Paging{"cursor": httpx.Cursor, "after": httpx.After, "pages": httpx.Pages}

func (o *kindOps) list() {
	op := o.op("list", "List "+o.noun+"s", "list", "")
	op.Paging = httpx.Cursor
	if o.mount == httpx.V1 {
		op.Paging = httpx.After
	}
	if style, ok := pagings[o.route.Page]; ok {
		op.Paging = style
	}
	op.PageDefault = o.route.PageSize
	params, fields := o.filters()
	op.Filters = params
	op.Sort = append([]string{"created_at", "updated_at"}, o.spec.Sorts...)
	if o.spec.Key != "" && !slices.Contains(op.Sort, o.spec.Key) {
		op.Sort = append(op.Sort, o.spec.Key)
	}
	op.Search = len(o.spec.Search) > 0
	httpx.Register(o.r, op, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[json.RawMessage]], error) {
		_, workspace := tenant(ctx)
		filters := make(map[string]string, len(in.Filters))
		for name, value := range in.Filters {
			filters[fields[name]] = value
		}
		found, err := o.Resources.List(ctx, resources.Query{Kind: o.spec.Name, Workspace: workspace,
			Filters: filters, Search: in.Search, Page: page(in.ListParams)})
		if err != nil {
			return httpx.Reply[httpx.List[json.RawMessage]]{}, err
		}
		return list(found, func(d *resources.Document) (json.RawMessage, error) { return o.show(ctx, d) })
	})
}

// filters describes the kind's filters as query parameters, and says which
// field each stands for: a list's parameter is its singular (?tag= for tags),
// an enum's takes the enum's values only.
func (o *kindOps) filters() (params []string, fields map[string]string) {
	fields = map[string]string{}
	for _, field := range o.spec.Filters {
		name := field
		f, ok := fieldNamed(o.kind.Type(), field)
		if ok && f.Type.Kind() == reflect.Slice {
			name = strings.TrimSuffix(field, "s")
		}
		fields[name] = field
		switch {
		case ok && f.Tag.Get("enum") != "":
			name += "=" + strings.ReplaceAll(f.Tag.Get("enum"), ",", "|")
		case ok && f.Type.Kind() == reflect.Bool:
			name += ":boolean"
		}
		params = append(params, name)
	}
	return params, fields
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	return t.FieldByNameFunc(func(goName string) bool {
		f, _ := t.FieldByName(goName)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return tag == name
	})
}

func (o *kindOps) get() {
	secrets := domain.SecretFields(o.kind.Type())
	serve(o.API, resource[domain.Resource, json.RawMessage]{
		op: o.op("get", "Get "+o.noun+" details", "get", "."),
		now: func(ctx context.Context) (httpx.Reply[json.RawMessage], error) {
			d, err := o.named(ctx)
			if err != nil {
				return httpx.Reply[json.RawMessage]{}, err
			}
			body, err := o.show(ctx, d)
			return httpx.Reply[json.RawMessage]{Body: body, Revision: &d.Revision}, err
		},
		stream: func(ctx context.Context) (domain.StreamID, bool) {
			name := httpx.PathValue(ctx, o.param())
			return domain.Stream(o.spec.Name, name), o.beside() == nil && (!o.spec.ByKey || domain.HasPrefix(name, o.spec.Prefix))
		},
		agg: domain.KindAggregate(o.spec), param: o.param(), key: o.id,
		alive: func(m *history.Moment[domain.Resource]) bool {
			return m.State.Exists && !m.State.Deleted && !m.State.Erased
		},
		show: func(m *history.Moment[domain.Resource]) (json.RawMessage, error) {
			return o.shape.Resource(m.State)
		},
		added: func(m *history.Moment[domain.Resource]) []addition { return secretsSet(m, secrets) },
	})
}

// secretsSet tells which secrets a revision set or took away. What was a secret
// before is not said: of a change it is known that there was one.
func secretsSet(m *history.Moment[domain.Resource], secrets []string) []addition {
	f, ok := m.Event.Fact.(domain.KindFact)
	if !ok {
		return nil
	}
	var out []addition
	for _, name := range secrets {
		value, set := f.Doc[name]
		switch {
		case !set:
		case string(value) == "null":
			out = append(out, addition{secret: name, op: history.Remove})
		case f.Verb == domain.VerbCreated || f.Verb == domain.VerbCloned:
			out = append(out, addition{secret: name, op: history.Add})
		default:
			out = append(out, addition{secret: name, op: history.Replace})
		}
	}
	return out
}

// id is the id of the resource of the path. One that was deleted has no name
// any more, so its past is found by its id only.
func (o *kindOps) id(ctx context.Context) (string, error) {
	name := httpx.PathValue(ctx, o.param())
	if !o.spec.ByKey || domain.HasPrefix(name, o.spec.Prefix) {
		return name, nil
	}
	d, err := o.named(ctx)
	if err != nil {
		return "", err
	}
	return d.ID, nil
}

// named finds the resource of the path, by id or by its unique name.
func (o *kindOps) named(ctx context.Context) (*resources.Document, error) {
	_, workspace := tenant(ctx)
	name := httpx.PathValue(ctx, o.param())
	if o.spec.ByKey && !domain.HasPrefix(name, o.spec.Prefix) {
		return o.Resources.GetByKey(ctx, o.spec.Name, workspace, name)
	}
	return o.Resources.Get(ctx, o.spec.Name, workspace, name)
}

func (o *kindOps) show(ctx context.Context, d *resources.Document) (json.RawMessage, error) {
	fields, err := d.Fields()
	if err != nil {
		return nil, err
	}
	if beside := o.beside(); beside != nil {
		if err := beside(ctx, d, fields); err != nil {
			return nil, err
		}
	}
	return o.shape.Resource(&domain.Resource{ID: d.ID, Doc: fields, Version: d.Version,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, CreatedBy: d.CreatedBy, UpdatedBy: d.UpdatedBy})
}

func (o *kindOps) versions() {
	op := o.op("listVersionsOf", "List versions", "get", "./versions")
	op.Result, op.ResultExample, op.Paging = o.kind.VersionType(), nil, httpx.Cursor
	httpx.Register(o.r, op, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[json.RawMessage]], error) {
		var none httpx.Reply[httpx.List[json.RawMessage]]
		d, err := o.named(ctx)
		if err != nil {
			return none, err
		}
		all, err := o.Resources.Versions(ctx, o.spec.Name, d.Workspace, d.ID)
		if err != nil {
			return none, err
		}
		slices.SortFunc(all, func(a, b domain.Version) int { return b.Number - a.Number })
		part, err := sliced(all, in.ListParams)
		if err != nil {
			return none, err
		}
		return list(part, func(v domain.Version) (json.RawMessage, error) { return o.shape.Version(o.spec.Name, d.ID, v) })
	})
}

// sliced pages through a short list that is in memory. Its cursor is an offset.
func sliced[T any](all []T, p httpx.ListParams) (query.Result[T], error) {
	from, err := query.OffsetOf(p.Cursor, p.Offset)
	if err != nil {
		return query.Result[T]{}, err
	}
	from = min(from, len(all))
	to := from + min(p.Limit, len(all)-from)
	out := query.Result[T]{Items: all[from:to], HasMore: to < len(all)}
	if out.HasMore {
		out.Next = query.OffsetCursor(to)
	}
	return out, nil
}

func (o *kindOps) version() {
	op := o.op("getVersionOf", "Get a version", "get", "./versions/{version}")
	op.Result, op.ResultExample = o.kind.VersionType(), nil
	httpx.Register(o.r, op, func(ctx context.Context, in *struct {
		Version int `path:"version"`
	}) (httpx.Reply[json.RawMessage], error) {
		var none httpx.Reply[json.RawMessage]
		d, err := o.named(ctx)
		if err != nil {
			return none, err
		}
		v, err := o.Resources.Version(ctx, o.spec.Name, d.Workspace, d.ID, in.Version)
		if err != nil {
			return none, err
		}
		body, err := o.shape.Version(o.spec.Name, d.ID, v)
		return httpx.Reply[json.RawMessage]{Body: body}, err
	})
}

func (o *kindOps) export() {
	op := o.op("export", "Export "+o.noun, "export", "./export")
	op.Result, op.Filters = o.kind.ExportType(), []string{"format=json"}
	example, err := o.exported(o.example(), exampleTime)
	if err != nil { // an example is a literal in our own code
		panic(err)
	}
	op.ResultExample = example
	httpx.Register(o.r, op, func(ctx context.Context, _ *struct{ httpx.ListParams }) (httpx.Reply[json.RawMessage], error) {
		var none httpx.Reply[json.RawMessage]
		d, err := o.named(ctx)
		if err != nil {
			return none, err
		}
		body, err := o.show(ctx, d)
		if err != nil {
			return none, err
		}
		body, err = o.exported(body, o.Now())
		return httpx.Reply[json.RawMessage]{Body: body, Revision: &d.Revision}, err
	})
}

// exportVersion is the version of the export's format.
const exportVersion = "1.0"

func (o *kindOps) exported(resource json.RawMessage, at time.Time) (json.RawMessage, error) {
	return json.Marshal(map[string]any{"format": "json", "version": exportVersion, o.spec.Name: resource, "exported_at": domain.FormatTime(at)})
}
