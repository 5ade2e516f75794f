package domain

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

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
	Subject   string `json:"subject,omitempty"`   // whose key seals this fact, for personal kinds
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

// DataSubject implements PersonalFact: "" for kinds that are not about people.
func (f KindFact) DataSubject() string { return f.Subject }

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
	Erased    bool // what it held was erased with the person it was about
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
		Fold:  "2 " + strings.Join(spec.Versions, ","),
		New:   func(id string) *Resource { return &Resource{ID: id, Kind: spec.Name} },
		Apply: func(r *Resource, e Event) { r.apply(spec, e) },
		Gone:  func(r *Resource) bool { return r.Erased },
		Facts: KindFactTypes(spec.Name),
	}
}

func (r *Resource) apply(spec *KindSpec, e Event) {
	if f, ok := e.Fact.(Erased); ok {
		r.applyErased(spec, f, e)
		return
	}
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

// applyErased forgets what a personal resource held. Its place is left: when it
// came and who touched it.
func (r *Resource) applyErased(spec *KindSpec, f Erased, e Event) {
	if f.Type == (KindFact{Kind: spec.Name, Verb: VerbCreated}).EventType() || f.Type == (KindFact{Kind: spec.Name, Verb: VerbCloned}).EventType() {
		r.Exists, r.CreatedAt, r.CreatedBy = true, e.Meta.OccurredAt, e.Meta.Actor
	}
	r.Doc, r.History, r.Erased = nil, nil, true
	r.UpdatedAt, r.UpdatedBy = e.Meta.OccurredAt, e.Meta.Actor
}

func versionChanged(spec *KindSpec, before, after Doc) bool {
	return slices.ContainsFunc(spec.Versions, func(field string) bool {
		return !equalJSON(before[field], after[field])
	})
}
