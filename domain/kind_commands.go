package domain

// CreateResource brings a plain resource into being.
type CreateResource struct {
	Kind   AnyKind
	Doc    Doc    // validated against the kind's create schema
	Source string // set when the resource is a clone
}

// Decide implements Decider.
func (c CreateResource) Decide(_ Env, r *Resource) ([]Fact, error) {
	if r.Exists {
		return nil, Errorf(CodeConflict, "%s %q exists already", r.Kind, r.ID)
	}
	if err := c.Kind.Validate(c.Doc); err != nil {
		return nil, err
	}
	verb := VerbCreated
	if c.Source != "" {
		verb = VerbCloned
	}
	return []Fact{KindFact{Kind: r.Kind, Verb: verb, Doc: c.Doc, Source: c.Source, Subject: subjectOf(c.Kind, r)}}, nil
}

// UpdateResource changes some fields. Fields that are already as asked are
// left out of the fact; when nothing changes, nothing happens.
type UpdateResource struct {
	Kind      AnyKind
	Patch     Doc // null removes a field
	Changelog string
}

// Decide implements Decider.
func (c UpdateResource) Decide(_ Env, r *Resource) ([]Fact, error) {
	if err := r.alive(); err != nil {
		return nil, err
	}
	patch, err := c.Kind.Expanded(r.Doc, c.Patch)
	if err != nil {
		return nil, err
	}
	changed := r.Doc.Changed(patch)
	if len(changed) == 0 {
		return nil, nil
	}
	var f Faults
	for _, field := range RequiredFields(c.Kind.Type()) {
		value, given := changed[field]
		f.Add(given && isNull(value), field, "is required")
	}
	for _, field := range FixedFields(c.Kind.Type()) { // clients put back what they got, so repeating is fine
		_, differs := changed[field]
		f.Add(differs, field, "cannot be changed")
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if err := c.Kind.Validate(r.Doc.Merge(changed)); err != nil {
		return nil, err
	}
	return []Fact{KindFact{Kind: r.Kind, Verb: VerbUpdated, Doc: changed, Changelog: c.Changelog, Subject: subjectOf(c.Kind, r)}}, nil
}

// RestoreResource makes the fields of an earlier version current again.
type RestoreResource struct {
	Kind    AnyKind
	Version int
}

// Decide implements Decider.
func (c RestoreResource) Decide(_ Env, r *Resource) ([]Fact, error) {
	if err := r.alive(); err != nil {
		return nil, err
	}
	v, err := r.VersionAt(c.Version)
	if err != nil {
		return nil, err
	}
	patch := v.Doc.Merge(nil)
	for field := range r.History[r.Version-1].Doc {
		if _, ok := v.Doc[field]; !ok {
			patch[field] = []byte("null")
		}
	}
	changed := r.Doc.Changed(patch)
	if len(changed) == 0 {
		return nil, nil
	}
	return []Fact{KindFact{Kind: r.Kind, Verb: VerbRestored, Doc: changed, Version: c.Version, Subject: subjectOf(c.Kind, r)}}, nil
}

// DeleteResource ends a plain resource. Its id is never used again.
type DeleteResource struct{}

// Decide implements Decider.
func (DeleteResource) Decide(_ Env, r *Resource) ([]Fact, error) {
	if err := r.there(); err != nil { // what was erased can still be deleted
		return nil, err
	}
	return []Fact{KindFact{Kind: r.Kind, Verb: VerbDeleted}}, nil
}

// VersionAt returns a version by number; 0 is the current one.
func (r *Resource) VersionAt(n int) (Version, error) {
	if n == 0 {
		n = r.Version
	}
	if n < 1 || n > len(r.History) {
		return Version{}, Errorf(CodeNotFound, "%s %q has no version %d", r.Kind, r.ID, n)
	}
	return r.History[n-1], nil
}

func (r *Resource) there() error {
	if !r.Exists || r.Deleted {
		return NotFound(r.Kind, r.ID)
	}
	return nil
}

func (r *Resource) alive() error {
	if err := r.there(); err != nil {
		return err
	}
	if r.Erased {
		return Gone(r.Kind, r.ID)
	}
	return nil
}

// subjectOf is whose key seals the facts of a resource, "" for kinds that are
// not about people.
func subjectOf(k AnyKind, r *Resource) string {
	if k.Spec().Personal {
		return r.ID
	}
	return ""
}
