package commands

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"

	"strata/domain"
	"strata/domain/claim"
)

// Document is a plain resource as answers show it.
type Document struct {
	ID        string
	Kind      string
	Resource  domain.Resource
	Workspace string
	Revision  domain.Revision
}

// Resources runs the commands of plain kinds: it adds to [Run] what they have
// in common, unique names and sealed secrets.
type Resources struct {
	h       *Handler
	sealer  Sealer
	kinds   map[string]domain.AnyKind
	aggs    map[string]*domain.Aggregate[domain.Resource]
	secrets map[string]map[string]reflect.Type // by kind: fields with access:"w"
	also    map[string][]Check                 // by kind
}

// Check judges the document of a create, or the patch of an update, for a principal.
type Check func(ctx context.Context, p domain.Principal, doc domain.Doc) error

// Also adds a check to a kind that only another room can make, such as whether
// the gateway understands a provider's configuration, or whether something that a
// resource names is there. It sees the document of a create and the patch of an
// update as the caller gave them: secret fields are not sealed yet. Call it before
// the first command.
func (r *Resources) Also(kind string, check Check) {
	if r.also == nil {
		r.also = map[string][]Check{}
	}
	r.also[kind] = append(r.also[kind], check)
}

// checks makes the checks that other rooms have added to a kind.
func (r *Resources) checks(ctx context.Context, kind string, p domain.Principal, doc domain.Doc) error {
	for _, check := range r.also[kind] {
		if err := check(ctx, p, doc); err != nil {
			return err
		}
	}
	return nil
}

// NewResources makes the commands of the kinds given.
func NewResources(h *Handler, sealer Sealer, kinds []domain.AnyKind) *Resources {
	r := &Resources{h: h, sealer: sealer, kinds: map[string]domain.AnyKind{},
		aggs: map[string]*domain.Aggregate[domain.Resource]{}, secrets: map[string]map[string]reflect.Type{}}
	for _, k := range kinds {
		spec := k.Spec()
		r.kinds[spec.Name] = k
		r.aggs[spec.Name] = domain.KindAggregate(spec)
		r.secrets[spec.Name] = secretTypes(k.Type())
	}
	return r
}

func view(l *Loaded[domain.Resource]) Document {
	return Document{ID: l.ID, Kind: l.State.Kind, Resource: *l.State, Workspace: l.Workspace, Revision: l.Revision}
}

// Create makes a resource of a validated document. Errors: VALIDATION_ERROR,
// CONFLICT when its name is taken.
func (r *Resources) Create(ctx context.Context, kind domain.AnyKind, req Request, doc domain.Doc) (Outcome[Document], error) {
	given := domain.Initial(kind.Type()).Merge(doc)
	doc, err := r.seal(kind.Spec().Name, doc)
	if err != nil {
		return Outcome[Document]{}, err
	}
	doc = domain.Initial(kind.Type()).Merge(doc)
	return r.create(ctx, kind, req, domain.CreateResource{Kind: kind, Doc: doc}, given)
}

// create makes a resource of a document whose secrets are sealed; given is what the
// caller said of it, for [Resources.Also].
func (r *Resources) create(ctx context.Context, kind domain.AnyKind, req Request, cmd domain.CreateResource, given domain.Doc) (Outcome[Document], error) {
	var zero Outcome[Document]
	spec := kind.Spec()
	if !req.Principal.Can(req.Permission) {
		return zero, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	if out, repeated, err := Repeat(ctx, r.h, r.aggs[spec.Name], req, view); repeated || err != nil {
		return out, err
	}
	// The document is checked before the name is claimed, so that a faulty
	// request leaves no claim behind.
	if err := kind.Validate(cmd.Doc); err != nil {
		return zero, err
	}
	if err := r.checks(ctx, spec.Name, req.Principal, given); err != nil {
		return zero, err
	}
	req.Create = true
	if req.ID == "" {
		req.ID = r.h.NewID(spec.Prefix, req)
	}
	if spec.Key != "" {
		name := cmd.Doc.String(spec.Key)
		if err := checkName(spec, name); err != nil {
			return zero, err
		}
		if err := r.claim(ctx, spec, req.Principal, name, req.ID); err != nil {
			return zero, err
		}
		r.h.reached("create.claimed")
	}
	return Run(ctx, r.h, r.aggs[spec.Name], req, cmd, view)
}

// checkName keeps names apart from ids, so that one path can take either.
func checkName(spec *domain.KindSpec, name string) error {
	var f domain.Faults
	f.Add(domain.HasPrefix(name, spec.Prefix), spec.Key, "must not begin with %q, which is how ids begin", spec.Prefix+"_")
	f.Add(strings.TrimSpace(name) == "", spec.Key, "is required")
	return f.Err()
}

// Update merges fields into a resource. Errors: NOT_FOUND, VALIDATION_ERROR,
// CONFLICT when the new name is taken or IfMatch does not hold.
func (r *Resources) Update(ctx context.Context, kind domain.AnyKind, req Request, patch domain.Doc, changelog string) (Outcome[Document], error) {
	var zero Outcome[Document]
	spec := kind.Spec()
	if !req.Principal.Can(req.Permission) {
		return zero, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	if out, repeated, err := Repeat(ctx, r.h, r.aggs[spec.Name], req, view); repeated || err != nil {
		return out, err
	}
	if err := r.checks(ctx, spec.Name, req.Principal, patch); err != nil {
		return zero, err
	}
	patch, err := r.seal(spec.Name, patch)
	if err != nil {
		return zero, err
	}
	cmd := domain.UpdateResource{Kind: kind, Patch: patch, Changelog: changelog}
	renamed, rename := patch[spec.Key]
	if spec.Key == "" || !rename || string(renamed) == "null" {
		return Run(ctx, r.h, r.aggs[spec.Name], req, cmd, view)
	}
	return r.rename(ctx, kind, req, cmd)
}

// rename updates a resource whose patch has a name. The new name is claimed
// before the update and the old one given back after it.
func (r *Resources) rename(ctx context.Context, kind domain.AnyKind, req Request, cmd domain.UpdateResource) (Outcome[Document], error) {
	var zero Outcome[Document]
	spec := kind.Spec()
	before, err := r.Load(ctx, kind, req.Principal, req.ID)
	if err != nil {
		return zero, err
	}
	from, to := before.Resource.Doc.String(spec.Key), cmd.Patch.String(spec.Key)
	if from == to {
		return Run(ctx, r.h, r.aggs[spec.Name], req, cmd, view)
	}
	if err := checkName(spec, to); err != nil {
		return zero, err
	}
	// What would be refused is refused before the name is claimed.
	if err := matches(req, spec.Name, before.Revision); err != nil {
		return zero, err
	}
	if _, err := cmd.Decide(req.env(r.h.Now()), &before.Resource); err != nil {
		return zero, err
	}
	if err := r.claim(ctx, spec, req.Principal, to, req.ID); err != nil {
		return zero, err
	}
	r.h.reached("rename.claimed")
	out, err := Run(ctx, r.h, r.aggs[spec.Name], req, cmd, view)
	if err != nil || claim.Same(from, to) { // one claim covers both spellings
		// After an error the new name stays claimed: another request may have
		// given it to this resource meanwhile, or this one may yet. If not, the
		// claim is void for whoever wants the name after a while.
		return out, err
	}
	r.h.reached("rename.renamed")
	return out, r.h.Unclaim(ctx, req.Principal, spec.Name, from, req.ID)
}

// Delete ends a resource and frees its name.
func (r *Resources) Delete(ctx context.Context, kind domain.AnyKind, req Request) (Outcome[Document], error) {
	spec := kind.Spec()
	out, err := Run(ctx, r.h, r.aggs[spec.Name], req, domain.DeleteResource{}, view)
	if err == nil && spec.Key != "" {
		r.h.reached("delete.deleted")
		err = r.h.Unclaim(ctx, req.Principal, spec.Name, out.View.Resource.Doc.String(spec.Key), out.ID)
	}
	return out, err
}

// Clone makes a new resource from an existing one, with some fields changed.
// Without a new name, "<name> (copy)" is tried, then "(copy 2)" and so on.
func (r *Resources) Clone(ctx context.Context, kind domain.AnyKind, req Request, source string, changes domain.Doc) (Outcome[Document], error) {
	var zero Outcome[Document]
	spec := kind.Spec()
	if out, repeated, err := Repeat(ctx, r.h, r.aggs[spec.Name], req, view); repeated || err != nil {
		return out, err
	}
	src, err := r.Load(ctx, kind, req.Principal, source)
	if err != nil {
		return zero, err
	}
	given := r.open(spec.Name, src.Resource.Doc).Merge(changes)
	if changes, err = r.seal(spec.Name, changes); err != nil { // the source's secrets are sealed already
		return zero, err
	}
	doc := src.Resource.Doc.Merge(domain.Initial(kind.Type())).Merge(changes)
	cmd := domain.CreateResource{Kind: kind, Source: source, Doc: doc}
	if spec.Key == "" || changes[spec.Key] != nil {
		return r.create(ctx, kind, req, cmd, given)
	}
	longest := domain.MaxLength(kind.Type(), spec.Key)
	for n := 1; ; n++ {
		cmd.Doc[spec.Key] = copyName(src.Resource.Doc.String(spec.Key), n, longest)
		out, err := r.create(ctx, kind, req, cmd, given)
		if domain.CodeOf(err) != domain.CodeConflict || n == 100 {
			return out, err
		}
	}
}

// Restore makes an earlier version current.
func (r *Resources) Restore(ctx context.Context, kind domain.AnyKind, req Request, version int) (Outcome[Document], error) {
	return Run(ctx, r.h, r.aggs[kind.Spec().Name], req, domain.RestoreResource{Kind: kind, Version: version}, view)
}

// Load shows a resource as the log has it now. Errors: NOT_FOUND also for one
// that was deleted.
func (r *Resources) Load(ctx context.Context, kind domain.AnyKind, p domain.Principal, id string) (Document, error) {
	d, err := Load(ctx, r.h, r.aggs[kind.Spec().Name], p, id, view)
	if err == nil && d.Resource.Deleted {
		return Document{}, domain.NotFound(kind.Spec().Name, id)
	}
	return d, err
}

// Resolve turns what a path names into an id: ids are taken as they are, a
// unique name is looked up in its claim. Errors: NOT_FOUND.
func (r *Resources) Resolve(ctx context.Context, kind domain.AnyKind, p domain.Principal, named string) (string, error) {
	spec := kind.Spec()
	if !spec.ByKey || domain.HasPrefix(named, spec.Prefix) {
		return named, nil
	}
	owner, err := Load(ctx, r.h, claim.Aggregate, p, claim.ID(spec.Name, p.Workspace, named),
		func(l *Loaded[claim.State]) string { return l.State.Owner })
	if domain.CodeOf(err) == domain.CodeNotFound || err == nil && owner == "" {
		return "", domain.NotFound(spec.Name, named)
	}
	return owner, err
}

// open is what of a document is not secret.
func (r *Resources) open(kind string, doc domain.Doc) domain.Doc {
	doc = maps.Clone(doc)
	for field := range r.secrets[kind] {
		delete(doc, field)
	}
	return doc
}

func (r *Resources) claim(ctx context.Context, spec *domain.KindSpec, p domain.Principal, name, owner string) error {
	return r.h.Claim(ctx, p, Name{Kind: spec.Name, Value: name, Owner: owner,
		Holds: func(ctx context.Context, id string) (bool, error) {
			d, err := r.Load(ctx, r.kinds[spec.Name], p, id)
			if domain.CodeOf(err) == domain.CodeNotFound && err != nil {
				return false, nil
			}
			return err == nil && claim.Same(d.Resource.Doc.String(spec.Key), name), err
		}})
}

// copyName names the n-th copy of what has a name, in at most longest characters.
func copyName(name string, n, longest int) json.RawMessage {
	suffix := " (copy)"
	if n > 1 {
		suffix = fmt.Sprintf(" (copy %d)", n)
	}
	if runes, room := []rune(name), longest-len(suffix); longest > 0 && len(runes) > room {
		name = string(runes[:max(room, 0)])
	}
	return text(name + suffix)
}

func text(s string) json.RawMessage {
	b, _ := json.Marshal(s) // a string always encodes
	return b
}
