package knowledge

import (
	"time"

	"strata/domain"
)

// Status says how far a document is.
type Status string

// The states of a document.
const (
	Pending    Status = "pending"    // received, or to be processed again
	Processing Status = "processing" // cut, and being embedded
	Completed  Status = "completed"  // all of it can be found
	Failed     Status = "failed"     // see Error; it can be reprocessed
)

// Statuses lists the states, for documentation.
func Statuses() []Status { return []Status{Pending, Processing, Completed, Failed} }

// About is what a client says of a document.
type About struct {
	Name     string     `json:"name"`
	Metadata domain.Doc `json:"metadata,omitempty"` // searches can filter by it
}

// Document is what is known of a document at one revision. Its text and its
// embeddings are in its stream only: they are long, and few need them.
type Document struct {
	ID     string
	BaseID string
	About
	MIMEType   string
	SizeBytes  int64
	Checksum   string // SHA-256 of the file, in hex
	Characters int    // of its text
	Settings          // of the run
	Run        int    // from 1; reprocessing begins another
	Status     Status
	Chunks     int // of the run, once it is cut
	Tokens     int // of all chunks, overlaps counted twice
	Embedded   int // of the chunks
	Error      string
	Deleted    bool
	Erased     bool
	CreatedAt  time.Time
	UpdatedAt  time.Time
	// ProcessedAt is when the last run ended, well or not.
	ProcessedAt time.Time
}

// Documents folds the streams of documents.
var Documents = &domain.Aggregate[Document]{
	Category: "knowledge_document", Prefix: "doc", Noun: "document", Fold: "1",
	New:   func(id string) *Document { return &Document{ID: id} },
	Apply: func(d *Document, e domain.Event) { d.apply(e) },
	Gone:  func(d *Document) bool { return d.Erased },
	Facts: []domain.FactType{
		domain.FactOf[Received](),
		domain.FactOf[TextKept](),
		domain.FactOf[WasCut](),
		domain.FactOf[Embedded](),
		domain.FactOf[Ready](),
		domain.FactOf[RunFailed](),
		domain.FactOf[ReprocessingAsked](),
		domain.FactOf[DocumentDeleted](),
	},
}

func (d *Document) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Received:
		d.BaseID, d.About, d.MIMEType, d.SizeBytes, d.Checksum = f.BaseID, f.About, f.MIMEType, f.SizeBytes, f.Checksum
		d.Characters, d.CreatedAt = f.Characters, at
		d.Erased = f.Name == "" // nothing is received without one
		d.begin(1, f.Settings)
	case WasCut:
		d.Status, d.Chunks, d.Tokens = Processing, f.Chunks, f.Tokens
	case Embedded:
		d.Embedded += f.Count
	case Ready:
		d.Status, d.ProcessedAt = Completed, at
	case RunFailed:
		d.Status, d.Error, d.ProcessedAt = Failed, f.Error, at
	case ReprocessingAsked:
		d.begin(f.Run, f.Settings)
	case DocumentDeleted:
		d.Deleted = true
	case domain.Erased:
		d.Erased = true
	}
	d.UpdatedAt = at
}

func (d *Document) begin(run int, s Settings) {
	d.Run, d.Settings, d.Status, d.Error = run, s, Pending, ""
	d.Chunks, d.Tokens, d.Embedded = 0, 0, 0
}

func (d *Document) there() error {
	if d.Run == 0 || d.Deleted {
		return domain.NotFound(Documents.Noun, d.ID)
	}
	return nil
}

// working tells whether a run is the one under way.
func (d *Document) working(run int) bool {
	return d.there() == nil && d.Run == run && (d.Status == Pending || d.Status == Processing)
}
