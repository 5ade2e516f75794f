package writeapi

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"

	"strata/commands"
	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
)

// resourceModel is the read model of all plain kinds.
const resourceModel = "resources"

// kindOps registers the commands of one plain kind at one place.
type kindOps struct {
	*API
	kind  domain.AnyKind
	spec  *domain.KindSpec
	route domain.KindRoute
	mount *httpx.Mount
	noun  string // "model route"
	shape view.Shape
}

// kind registers a plain kind everywhere it is served.
func (a *API) kind(k domain.AnyKind) {
	spec := k.Spec()
	for _, route := range spec.Routes {
		o := &kindOps{API: a, kind: k, spec: spec, route: route, mount: httpx.API,
			noun: strings.ReplaceAll(spec.Name, "_", " "), shape: view.ShapeOf(k)}
		if route.Mount == "v1" {
			o.mount = httpx.V1
		}
		o.create()
		o.update(http.MethodPut)
		o.update(http.MethodPatch)
		o.delete()
		if spec.Clone {
			o.clone()
		}
		if len(spec.Versions) > 0 {
			o.createVersion()
			o.restore()
		}
	}
}

// op makes the operation "<verb><Kind>" at the collection or below one resource.
func (o *kindOps) op(verb, method, summary, permission, below string) httpx.Op {
	path := o.route.Path
	if below != "" {
		path += "/{" + cmp.Or(o.route.Param, "id") + "}" + strings.TrimPrefix(below, ".")
	}
	return httpx.Op{
		ID: view.OperationID(verb, o.spec, o.route.Mount), Method: method, Path: path, Mount: o.mount, Tag: o.spec.Tag,
		Summary: summary, Permission: o.spec.Plural + ":" + permission, Result: o.kind.Type(),
	}
}

// rawBody is the input of commands on plain kinds. Which path parameter names
// the resource differs from kind to kind, so it is not a field.
type rawBody struct{ Body json.RawMessage }

func (o *kindOps) create() {
	op := o.op("create", http.MethodPost, "Create "+article(o.noun), "create", "")
	op.Status, op.Body, op.BodyExample = http.StatusCreated, o.kind.Type(), domain.CreateExample(o.kind)
	op.Unknown = map[string]string{}
	for _, field := range domain.UpdateFields(o.kind.Type()) {
		op.Unknown[field] = "is taken by updates only"
	}
	httpx.Register(o.r, op, func(ctx context.Context, in *rawBody) (httpx.Reply[json.RawMessage], error) {
		doc, err := document(in.Body)
		if err != nil {
			return httpx.Reply[json.RawMessage]{}, err
		}
		return o.answer(ctx)(o.Resources.Create(ctx, o.kind, request(ctx, op.Permission, ""), doc))
	})
}

func (o *kindOps) update(method string) {
	op := o.op(verbOf(method), method, "Update "+article(o.noun), "update", ".")
	op.Description = "Fields that are absent stay as they are; null removes."
	op.Body = o.kind.Type()
	httpx.Register(o.r, op, func(ctx context.Context, in *rawBody) (httpx.Reply[json.RawMessage], error) {
		req, err := o.target(ctx, op.Permission)
		if err != nil {
			return httpx.Reply[json.RawMessage]{}, err
		}
		patch, err := document(in.Body)
		if err != nil {
			return httpx.Reply[json.RawMessage]{}, err
		}
		return o.answer(ctx)(o.Resources.Update(ctx, o.kind, req, patch, ""))
	})
}

func (o *kindOps) delete() {
	op := o.op("delete", http.MethodDelete, "Delete "+article(o.noun), "delete", ".")
	op.Result, op.NoBody = reflect.TypeFor[view.Deleted](), o.route.Silent
	httpx.Register(o.r, op, func(ctx context.Context, _ *struct{}) (httpx.Reply[json.RawMessage], error) {
		var none httpx.Reply[json.RawMessage]
		req, err := o.target(ctx, op.Permission)
		if err != nil {
			return none, err
		}
		out, err := o.Resources.Delete(ctx, o.kind, req)
		if err != nil {
			return none, err
		}
		o.settled(ctx, resourceModel, out.Position)
		var answer any = view.Deleted{ID: out.ID, Deleted: true}
		if !o.mount.Envelope {
			answer = view.DeletedID{ID: out.ID}
		}
		body, err := json.Marshal(answer)
		return httpx.Reply[json.RawMessage]{Body: body, Revision: &out.Revision, Position: out.Position}, err
	})
}

// cloneFields are what a clone may differ in.
type cloneFields struct {
	Name        string `json:"name" maxLength:"200" doc:"Of the clone; \"<name> (copy)\" when absent." example:"Customer Support Bot 2"`
	Description string `json:"description" maxLength:"2000"`
}

func (o *kindOps) clone() {
	op := o.op("clone", http.MethodPost, "Clone "+article(o.noun), "clone", "./clone")
	op.Status, op.Body = http.StatusCreated, reflect.TypeFor[cloneFields]()
	httpx.Register(o.r, op, func(ctx context.Context, in *rawBody) (httpx.Reply[json.RawMessage], error) {
		req, err := o.target(ctx, op.Permission)
		if err != nil {
			return httpx.Reply[json.RawMessage]{}, err
		}
		source := req.ID
		req.ID = ""
		changes, err := document(in.Body)
		if err != nil {
			return httpx.Reply[json.RawMessage]{}, err
		}
		return o.answer(ctx)(o.Resources.Clone(ctx, o.kind, req, source, changes))
	})
}

func (o *kindOps) createVersion() {
	op := o.op("createVersionOf", http.MethodPost, "Create a version", "update", "./versions")
	op.Description = "Makes a new current version; the same as an update of the versioned fields."
	op.Status, op.Body, op.Result = http.StatusCreated, o.kind.VersionType(), o.kind.VersionType()
	httpx.Register(o.r, op, func(ctx context.Context, in *rawBody) (httpx.Reply[json.RawMessage], error) {
		var none httpx.Reply[json.RawMessage]
		req, err := o.target(ctx, op.Permission)
		if err != nil {
			return none, err
		}
		patch, err := document(in.Body)
		if err != nil {
			return none, err
		}
		changelog := patch.String("changelog")
		delete(patch, "changelog")
		out, err := o.Resources.Update(ctx, o.kind, req, patch, changelog)
		if err != nil {
			return none, err
		}
		r := out.View.Resource
		body, err := o.shape.Version(o.spec.Name, out.ID, r.History[len(r.History)-1])
		return httpx.Reply[json.RawMessage]{Body: body, Revision: &out.Revision, Position: out.Position}, err
	})
}

type versionTarget struct {
	Version int `path:"version"`
}

func (o *kindOps) restore() {
	op := o.op("restore", http.MethodPost, "Make a version current", "restore", "./versions/{version}/restore")
	httpx.Register(o.r, op, func(ctx context.Context, in *versionTarget) (httpx.Reply[json.RawMessage], error) {
		req, err := o.target(ctx, op.Permission)
		if err != nil {
			return httpx.Reply[json.RawMessage]{}, err
		}
		return o.answer(ctx)(o.Resources.Restore(ctx, o.kind, req, in.Version))
	})
}

// target resolves the resource a path names: by id, or by its unique name.
func (o *kindOps) target(ctx context.Context, permission string) (commands.Request, error) {
	req := request(ctx, permission, "")
	named := httpx.PathValue(ctx, cmp.Or(o.route.Param, "id"))
	id, err := o.Resources.Resolve(ctx, o.kind, req.Principal, named)
	req.ID, req.Route = id, req.Route+named
	return req, err
}

// answer renders what a command left, after the models that other rooms read
// have caught up with it.
func (o *kindOps) answer(ctx context.Context) func(commands.Outcome[commands.Document], error) (httpx.Reply[json.RawMessage], error) {
	return func(out commands.Outcome[commands.Document], err error) (httpx.Reply[json.RawMessage], error) {
		if err != nil {
			return httpx.Reply[json.RawMessage]{}, err
		}
		o.settled(ctx, resourceModel, out.Position)
		r := out.View.Resource
		body, err := o.shape.Resource(&r)
		return httpx.Reply[json.RawMessage]{Body: body, Revision: &out.Revision, Position: out.Position}, err
	}
}

// document reads a validated body; an absent one is empty.
func document(body json.RawMessage) (domain.Doc, error) {
	doc := domain.Doc{}
	if len(body) == 0 {
		return doc, nil
	}
	err := json.Unmarshal(body, &doc)
	return doc, err
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}
