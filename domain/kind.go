package domain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Kind describes a plain resource: one that is created, read, changed,
// deleted, and little else. Everything about it follows from this one value:
// routes on every mount, events, permissions, projection, OpenAPI, console
// forms. Its fields and their rules are the struct tags of S:
//
//	json      name, in snake_case             doc, example   for the documentation
//	required  must be given on create         default        taken when absent on create
//	enum, minLength, maximum, pattern …       what is valid
//	access    r (server sets it), c (fixed at creation), w (secret: sealed, never shown), rw
//
// A resource that needs more than this (its own commands, a ledger, a state
// machine) is not plain: it gets a package of its own.
type Kind[S any] struct {
	KindSpec
	// Check adds rules that tags cannot say. It sees the whole resource as it
	// would be and names every fault.
	Check func(s *S, f *Faults)
	// Example is a complete resource for the documentation.
	Example S
	// Version is an example of the answer about one version, for kinds that
	// have versions: [VersionBase] and the versioned fields.
	Version any
	// Export is an example of GET …/{id}/export, for kinds that have it:
	// [ExportBase] and the resource under the kind's name.
	Export any
}

// KindSpec is the part of a Kind that does not depend on its type.
type KindSpec struct {
	Name     string   // "app": category, event prefix and noun; lower case, words joined by "_"
	Plural   string   // "apps": permission resource and last path segment
	Prefix   string   // of ids: "app"
	Tag      string   // section of the documentation
	Doc      string   // one sentence: what it is
	Key      string   // field that is unique in the workspace; "" for none
	ByKey    bool     // paths name the resource by Key ("/model-routes/{name}"), not by id
	Search   []string // text fields that ?search= looks into
	Filters  []string // fields that can be filtered by equality ("status", "type")
	Sorts    []string // sortable fields beside created_at, updated_at and Key
	Versions []string // fields whose change makes a new version; empty = the resource has no versions
	Clone    bool     // POST …/{id}/clone
	Verbs    []string // further verbs of its permissions, for operations of its own
	Routes   []KindRoute
}

// KindRoute says where a kind is served.
type KindRoute struct {
	Mount string // "api" for /api/v1, "v1" for /v1
	Path  string // collection path on the mount: "/apps"
	Param string // path parameter of one resource; "id" when empty
	Page  string // paging style: "cursor" (default on api), "after" (default on v1), "pages"
}

// Base is what every plain resource shows beside its own fields. A kind's S
// embeds it; the values come from the events' envelopes, never from input.
type Base struct {
	ID        string    `json:"id" access:"r" doc:"Identifier, never used again after a delete."`
	CreatedAt time.Time `json:"created_at,omitzero" access:"r" doc:"When it was created, RFC 3339 UTC."`
	UpdatedAt time.Time `json:"updated_at,omitzero" access:"r" doc:"When it last changed, RFC 3339 UTC."`
	CreatedBy string    `json:"created_by,omitempty" access:"r" doc:"Who created it: a user or key id."`
}

// VersionBase is what a version of any kind shows beside the versioned fields.
type VersionBase struct {
	ID        string    `json:"id" access:"r" doc:"Identifier of the version: resource and number."`
	Version   int       `json:"version" access:"r" doc:"Its number, from 1." example:"1"`
	Changelog string    `json:"changelog,omitempty" maxLength:"2000" doc:"What changed and why." example:"Warmer tone"`
	CreatedAt time.Time `json:"created_at,omitzero" access:"r"`
	CreatedBy string    `json:"created_by,omitempty" access:"r"`
}

// ExportBase is what an export of any kind shows beside the resource.
type ExportBase struct {
	Format     string    `json:"format" enum:"json" example:"json"`
	Version    string    `json:"version" doc:"Of the format." example:"1.0"`
	ExportedAt time.Time `json:"exported_at"`
}

// AnyKind is a Kind without its type parameter, for the places that go through
// all kinds: transport, projection, codec.
type AnyKind interface {
	Spec() *KindSpec
	Type() reflect.Type   // of S, for schemas
	ExampleDoc() Doc      // Example as a document
	Validate(d Doc) error // decodes d into S and runs Check
	VersionType() reflect.Type
	ExportType() reflect.Type
}

// SecretFields lists the JSON names of a struct's fields with access:"w".
func SecretFields(t reflect.Type) []string { return fieldsWith(t, "w") }

// FixedFields lists the JSON names of a struct's fields with access:"c".
func FixedFields(t reflect.Type) []string { return fieldsWith(t, "c") }

// FieldNames lists the JSON names of a resource's own fields in the order they
// are declared in, without those of [Base].
func FieldNames(t reflect.Type) []string {
	var out []string
	for i := range t.NumField() {
		if f := t.Field(i); !f.Anonymous {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, name)
		}
	}
	return out
}

func fieldsWith(t reflect.Type, access string) []string {
	var out []string
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("access") == access {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			out = append(out, name)
		}
	}
	return out
}

// Spec implements AnyKind.
func (k *Kind[S]) Spec() *KindSpec { return &k.KindSpec }

// Type implements AnyKind.
func (k *Kind[S]) Type() reflect.Type { return reflect.TypeFor[S]() }

// VersionType implements AnyKind. It is nil for kinds without versions.
func (k *Kind[S]) VersionType() reflect.Type { return reflect.TypeOf(k.Version) }

// ExportType implements AnyKind. It is nil for kinds without an export.
func (k *Kind[S]) ExportType() reflect.Type { return reflect.TypeOf(k.Export) }

// ExampleDoc implements AnyKind.
func (k *Kind[S]) ExampleDoc() Doc {
	d, err := DocOf(k.Example)
	if err != nil { // a Kind is a literal in our own code
		panic(fmt.Sprintf("domain: example of %s: %v", k.Name, err))
	}
	return d
}

// Validate implements AnyKind.
func (k *Kind[S]) Validate(d Doc) error {
	s, err := Decode[S](d)
	if err != nil {
		return err
	}
	if k.Check == nil {
		return nil
	}
	var f Faults
	k.Check(&s, &f)
	return f.Err()
}

// KindVerbs lists what can be permitted on a kind beside listing, getting,
// creating, updating and deleting.
func KindVerbs(k AnyKind) []string {
	spec := k.Spec()
	verbs := slices.Clone(spec.Verbs)
	if spec.Clone {
		verbs = append(verbs, "clone")
	}
	if k.ExportType() != nil {
		verbs = append(verbs, "export")
	}
	if len(spec.Versions) > 0 {
		verbs = append(verbs, "restore")
	}
	return verbs
}

// Doc is a resource's own fields as JSON, by canonical (snake_case) name.
type Doc map[string]json.RawMessage

// DocOf makes a document of a struct.
func DocOf(v any) (Doc, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	var d Doc
	return d, json.Unmarshal(b, &d)
}

// Decode reads a document as an S. An error names the field.
func Decode[S any](d Doc) (S, error) {
	var s S
	b, err := json.Marshal(d)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(b, &s); err != nil {
		if t, ok := err.(*json.UnmarshalTypeError); ok {
			var f Faults
			f.Add(true, t.Field, "must be a %s, not a %s", t.Type, t.Value)
			return s, f.Err()
		}
		return s, Errorf(CodeInvalidRequest, "the document cannot be read").Because(err)
	}
	return s, nil
}

// String returns a text field; "" when it is absent or no text.
func (d Doc) String(field string) string {
	var s string
	_ = json.Unmarshal(d[field], &s) // absent or not a string is "" by contract
	return s
}

// Merge returns d with the fields of patch laid over it; a null removes.
func (d Doc) Merge(patch Doc) Doc {
	out := maps.Clone(d)
	if out == nil {
		out = Doc{}
	}
	for k, v := range patch {
		if isNull(v) {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// Changed returns the part of patch that differs from d.
func (d Doc) Changed(patch Doc) Doc {
	out := Doc{}
	for k, v := range patch {
		old, had := d[k]
		if isNull(v) && !had || had && equalJSON(old, v) {
			continue
		}
		out[k] = v
	}
	return out
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

func equalJSON(a, b json.RawMessage) bool {
	if len(a) == 0 || len(b) == 0 {
		return len(a) == len(b)
	}
	if bytes.Equal(a, b) { // the usual case when states are folded
		return true
	}
	var x, y bytes.Buffer
	if json.Compact(&x, a) != nil || json.Compact(&y, b) != nil {
		return false
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}

// KindFact is what happens to a plain resource. Its type is
// "<kind>.<verb>.v1": created and cloned carry the whole document, updated and
// restored the fields that changed, deleted none.
type KindFact struct {
	Kind string `json:"-"`
	Verb string `json:"-"`

	Doc       Doc    `json:"doc,omitempty"`
	Source    string `json:"source,omitempty"`    // cloned: the resource it was made from
	Version   int    `json:"version,omitempty"`   // restored: the version whose fields came back
	Changelog string `json:"changelog,omitempty"` // why, where the caller said
}

// The verbs of KindFact.
const (
	VerbCreated  = "created"
	VerbCloned   = "cloned"
	VerbUpdated  = "updated"
	VerbRestored = "restored"
	VerbDeleted  = "deleted"
)

// EventType implements Fact.
func (f KindFact) EventType() string { return f.Kind + "." + f.Verb + ".v1" }

// KindFactTypes lists the facts of a kind for the codec.
func KindFactTypes(kind string) []FactType {
	var out []FactType
	for _, verb := range []string{VerbCreated, VerbCloned, VerbUpdated, VerbRestored, VerbDeleted} {
		out = append(out, FactType{Name: kind + "." + verb + ".v1", Decode: func(data []byte) (Fact, error) {
			f := KindFact{Kind: kind, Verb: verb}
			if err := json.Unmarshal(data, &f); err != nil {
				return nil, fmt.Errorf("decode %s.%s: %w", kind, verb, err)
			}
			return f, nil
		}})
	}
	return out
}

// Resource is the state of a plain resource: the fold of its KindFacts.
type Resource struct {
	ID        string
	Kind      string
	Doc       Doc
	Version   int // counts changes of the versioned fields, from 1
	Exists    bool
	Deleted   bool
	CreatedAt time.Time
	UpdatedAt time.Time
	CreatedBy string
	UpdatedBy string
	History   []Version // oldest first, for kinds that have versions
}

// Version is one version of a resource's versioned fields.
type Version struct {
	Number    int
	Doc       Doc // the versioned fields only
	Changelog string
	At        time.Time
	By        string
}

// KindAggregate folds the streams of a plain kind.
func KindAggregate(spec *KindSpec) *Aggregate[Resource] {
	return &Aggregate[Resource]{
		Category: spec.Name, Prefix: spec.Prefix, Noun: strings.ReplaceAll(spec.Name, "_", " "),
		Fold:  "1 " + strings.Join(spec.Versions, ","),
		New:   func(id string) *Resource { return &Resource{ID: id, Kind: spec.Name} },
		Apply: func(r *Resource, e Event) { r.apply(spec, e) },
		Facts: KindFactTypes(spec.Name),
	}
}

func (r *Resource) apply(spec *KindSpec, e Event) {
	f, ok := e.Fact.(KindFact)
	if !ok {
		return
	}
	before := r.Doc
	switch f.Verb {
	case VerbCreated, VerbCloned:
		r.Exists, r.Doc = true, f.Doc
		r.CreatedAt, r.CreatedBy = e.Meta.OccurredAt, e.Meta.Actor
	case VerbUpdated, VerbRestored:
		r.Doc = r.Doc.Merge(f.Doc)
	case VerbDeleted:
		r.Deleted = true
	}
	r.UpdatedAt, r.UpdatedBy = e.Meta.OccurredAt, e.Meta.Actor
	if len(spec.Versions) > 0 && !r.Deleted && (r.Version == 0 || versionChanged(spec, before, r.Doc)) {
		r.Version++
		doc := Doc{}
		for _, field := range spec.Versions {
			if v, ok := r.Doc[field]; ok {
				doc[field] = v
			}
		}
		r.History = append(r.History, Version{Number: r.Version, Doc: doc, Changelog: f.Changelog, At: e.Meta.OccurredAt, By: e.Meta.Actor})
	}
}

func versionChanged(spec *KindSpec, before, after Doc) bool {
	return slices.ContainsFunc(spec.Versions, func(field string) bool {
		return !equalJSON(before[field], after[field])
	})
}
