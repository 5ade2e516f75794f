package domain

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
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
//	access    r (server sets it), c (fixed at creation), w (secret: sealed, never shown),
//	          u (set by updates only), uw (an update's shorthand for other fields, never kept), rw
//
// A field without omitempty is in every answer: absent, it shows its default or
// its type's empty value.
//
// A resource that needs more than this (its own commands, a ledger, a state
// machine) is not plain: it gets a package of its own.
type Kind[S any] struct {
	KindSpec
	// Check adds rules that tags cannot say. It sees the whole resource as it
	// would be and names every fault.
	Check func(s *S, f *Faults)
	// Expand replaces the shorthands of an update (access:"uw") by the fields
	// they stand for. now is the resource as it is; neither may be changed.
	Expand func(now, patch Doc) (Doc, error)
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
	Personal bool     // each resource is about a person: sealed under a key of its own, which an erasure destroys
	Routes   []KindRoute
}

// KindRoute says where a kind is served.
type KindRoute struct {
	Mount string // "api" for /api/v1, "v1" for /v1
	Path  string // collection path on the mount: "/apps"
	Param string // path parameter of one resource; "id" when empty
	Page  string // paging style: "cursor" (default on api), "after" (default on v1), "pages"
	// PageSize is how many items a page has unless a request says; the style's own when 0.
	PageSize int
	// Silent deletes answer 204 without a body.
	Silent bool
}

// Base is what every plain resource shows beside its own fields. A kind's S
// embeds it; the values come from the events' envelopes, never from input.
type Base struct {
	ID        string    `json:"id" access:"r" doc:"Identifier, never used again after a delete."`
	CreatedAt time.Time `json:"created_at,omitzero" access:"r" doc:"When it was created, RFC 3339 UTC."`
	UpdatedAt time.Time `json:"updated_at,omitzero" access:"r" doc:"When it last changed, RFC 3339 UTC."`
	CreatedBy string    `json:"created_by,omitempty" access:"r" doc:"Who created it: a user or key id."`
	UpdatedBy string    `json:"updated_by,omitempty" access:"r" doc:"Who changed it last: a user or key id."`
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
	Expanded(now, patch Doc) (Doc, error)
	VersionType() reflect.Type
	ExportType() reflect.Type
}

// SecretFields lists the JSON names of a struct's fields with access:"w".
func SecretFields(t reflect.Type) []string { return fieldsWith(t, "w") }

// FixedFields lists the JSON names of a struct's fields with access:"c".
func FixedFields(t reflect.Type) []string { return fieldsWith(t, "c") }

// RequiredFields lists the JSON names of a struct's fields with required:"true".
func RequiredFields(t reflect.Type) []string { return fieldsTagged(t, "required", "true") }

// UpdateFields lists the JSON names of a struct's fields that only updates set.
func UpdateFields(t reflect.Type) []string {
	return append(fieldsWith(t, "u"), fieldsWith(t, "uw")...)
}

// CreateExample is a kind's example as a create takes it.
func CreateExample(k AnyKind) Doc {
	d := k.ExampleDoc()
	for _, field := range UpdateFields(k.Type()) {
		delete(d, field)
	}
	return d
}

// Initial is what the server sets of a new resource: the defaults of the fields
// with access:"r".
func Initial(t reflect.Type) Doc {
	out := Doc{}
	for i := range t.NumField() {
		f := t.Field(i)
		value, ok := f.Tag.Lookup("default")
		if !ok || f.Tag.Get("access") != "r" {
			continue
		}
		if f.Type.Kind() == reflect.String {
			quoted, _ := json.Marshal(value) // a string always encodes
			value = string(quoted)
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = json.RawMessage(value)
	}
	return out
}

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

// MaxLength is how many characters a text field may have, 0 without limit.
func MaxLength(t reflect.Type, field string) int {
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == field {
			n, err := strconv.Atoi(f.Tag.Get("maxLength"))
			if err != nil { // none is said
				return 0
			}
			return n
		}
	}
	return 0
}

func fieldsWith(t reflect.Type, access string) []string { return fieldsTagged(t, "access", access) }

func fieldsTagged(t reflect.Type, tag, value string) []string {
	var out []string
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get(tag) == value {
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

// Expanded implements AnyKind.
func (k *Kind[S]) Expanded(now, patch Doc) (Doc, error) {
	if k.Expand == nil {
		return patch, nil
	}
	return k.Expand(now, patch)
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
