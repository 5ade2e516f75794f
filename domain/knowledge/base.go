package knowledge

import (
	"strings"
	"time"
	"unicode/utf8"

	"strata/domain"
)

// Settings say how documents are cut and embedded.
type Settings struct {
	EmbeddingModel string `json:"embedding_model"`
	ChunkSize      int    `json:"chunk_size"`    // tokens of a piece, at most
	ChunkOverlap   int    `json:"chunk_overlap"` // tokens that a piece shares with the one before, at most
}

// Defaults and limits of settings.
const (
	DefaultEmbeddingModel = "strata/embed-1"
	DefaultChunkSize      = 512
	DefaultChunkOverlap   = 64
	MinChunkSize          = 16
	MaxChunkSize          = 4096
)

func (s Settings) check(f *domain.Faults) {
	f.Add(strings.TrimSpace(s.EmbeddingModel) == "", "embedding_model", "is required")
	f.Add(len(s.EmbeddingModel) > maxName, "embedding_model", "must be at most %d bytes long", maxName)
	f.Add(s.ChunkSize < MinChunkSize || s.ChunkSize > MaxChunkSize, "chunk_size", "must be between %d and %d", MinChunkSize, MaxChunkSize)
	f.Add(s.ChunkOverlap < 0 || s.ChunkOverlap > s.ChunkSize/2, "chunk_overlap", "must be between 0 and half the chunk size")
}

// Limits of what a client may store.
const (
	maxName        = 200
	maxDescription = 2000
	maxTags        = 50
	maxMetadata    = 64 << 10 // bytes of JSON
)

// BaseFields are what a client may set of a knowledge base.
type BaseFields struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Settings
	QueryModel string   `json:"query_model,omitempty"` // writes queries anew when a search wants that
	Tags       []string `json:"tags,omitempty"`
}

func (b BaseFields) check() error {
	var f domain.Faults
	f.Add(strings.TrimSpace(b.Name) == "", "name", "is required")
	f.Add(utf8.RuneCountInString(b.Name) > maxName, "name", "must be at most %d characters long", maxName)
	f.Add(domain.HasPrefix(b.Name, Bases.Prefix), "name", "must not begin with %q, which identifiers do", Bases.Prefix+"_")
	f.Add(utf8.RuneCountInString(b.Description) > maxDescription, "description", "must be at most %d characters long", maxDescription)
	f.Add(len(b.QueryModel) > maxName, "query_model", "must be at most %d bytes long", maxName)
	f.Add(len(b.Tags) > maxTags, "tags", "must be at most %d", maxTags)
	b.Settings.check(&f)
	return f.Err()
}

// Base is what is known of a knowledge base at one revision.
type Base struct {
	ID string
	BaseFields
	Exists    bool
	Deleted   bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Bases folds the streams of knowledge bases.
var Bases = &domain.Aggregate[Base]{
	Category: "knowledge_base", Prefix: "kb", Noun: "knowledge base", Fold: "1",
	New:   func(id string) *Base { return &Base{ID: id} },
	Apply: func(b *Base, e domain.Event) { b.apply(e) },
	Facts: []domain.FactType{
		domain.FactOf[BaseCreated](),
		domain.FactOf[BaseRevised](),
		domain.FactOf[BaseDeleted](),
	},
}

// BaseCreated begins a knowledge base.
type BaseCreated struct{ BaseFields }

// EventType implements domain.Fact.
func (BaseCreated) EventType() string { return "knowledge_base.created.v1" }

// BaseRevised says anew what a base is called, is for, and how its documents are
// processed from now on. All fields are there, changed or not.
type BaseRevised struct{ BaseFields }

// EventType implements domain.Fact.
func (BaseRevised) EventType() string { return "knowledge_base.revised.v1" }

// BaseDeleted ends a base. Its documents are deleted after it.
type BaseDeleted struct{}

// EventType implements domain.Fact.
func (BaseDeleted) EventType() string { return "knowledge_base.deleted.v1" }

func (b *Base) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case BaseCreated:
		b.BaseFields, b.Exists, b.CreatedAt = f.BaseFields, true, e.Meta.OccurredAt
	case BaseRevised:
		b.BaseFields = f.BaseFields
	case BaseDeleted:
		b.Deleted = true
	}
	b.UpdatedAt = e.Meta.OccurredAt
}

func (b *Base) alive() error {
	if !b.Exists || b.Deleted {
		return domain.NotFound(Bases.Noun, b.ID)
	}
	return nil
}
