package knowledge

import (
	"reflect"
	"slices"

	"strata/domain"
)

// CreateBase begins a knowledge base. What is not set of its settings takes the
// default. That its name is unique is the caller's to see to.
type CreateBase struct{ BaseFields }

// Check names every fault of the input.
func (c CreateBase) Check() error { return c.complete().check() }

func (c CreateBase) complete() BaseFields {
	f := c.BaseFields
	if f.EmbeddingModel == "" {
		f.EmbeddingModel = DefaultEmbeddingModel
	}
	if f.ChunkSize == 0 {
		f.ChunkSize = DefaultChunkSize
	}
	f.Tags = slices.Clone(f.Tags)
	return f
}

// Decide implements domain.Decider.
func (c CreateBase) Decide(_ domain.Env, b *Base) ([]domain.Fact, error) {
	if b.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "knowledge base %q exists already", b.ID)
	}
	fields := c.complete()
	if err := fields.check(); err != nil {
		return nil, err
	}
	return []domain.Fact{BaseCreated{fields}}, nil
}

// ReviseBase changes a knowledge base: Patch is laid over its fields by their JSON
// names. Documents that are there stay as they were processed.
type ReviseBase struct{ Patch domain.Doc }

// Revised is what the fields of a base would be. Errors: NOT_FOUND, validation.
func (c ReviseBase) Revised(b *Base) (BaseFields, error) {
	if err := b.alive(); err != nil {
		return BaseFields{}, err
	}
	before, err := domain.DocOf(b.BaseFields)
	if err != nil {
		return BaseFields{}, err
	}
	after, err := domain.Decode[BaseFields](before.Merge(c.Patch))
	if err != nil {
		return BaseFields{}, err
	}
	after = CreateBase{after}.complete() // a null asks for the default
	return after, after.check()
}

// Decide implements domain.Decider.
func (c ReviseBase) Decide(_ domain.Env, b *Base) ([]domain.Fact, error) {
	after, err := c.Revised(b)
	if err != nil {
		return nil, err
	}
	if len(after.Tags) == 0 && len(b.Tags) == 0 {
		after.Tags = b.Tags
	}
	if reflect.DeepEqual(after, b.BaseFields) {
		return nil, nil
	}
	return []domain.Fact{BaseRevised{after}}, nil
}

// DeleteBase ends a knowledge base.
type DeleteBase struct{}

// Decide implements domain.Decider.
func (DeleteBase) Decide(_ domain.Env, b *Base) ([]domain.Fact, error) {
	if err := b.alive(); err != nil {
		return nil, err
	}
	return []domain.Fact{BaseDeleted{}}, nil
}
