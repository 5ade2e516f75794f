package personaupload

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"strata/domain"
)

// Status of an upload.
type Status string

// An upload that is receiving is not there for anybody.
const (
	Receiving  Status = "receiving"
	Pending    Status = "pending"    // it waits to be confirmed
	Processing Status = "processing" // it is being applied
	Done       Status = "completed"
	TimedOut   Status = "expired"
)

// Resolution says what becomes of a row whose name and birthdate are taken.
type Resolution string

// The resolutions.
const (
	Overwrite Resolution = "overwrite" // the persona that is there is updated
	Create    Resolution = "create"    // another persona is made
	Skip      Resolution = "skip"      // the row is left out
)

// Resolutions lists them, for validation and documentation.
func Resolutions() []Resolution { return []Resolution{Overwrite, Create, Skip} }

// Counts is what became of rows.
type Counts struct {
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Skipped   int `json:"skipped"`
	Conflicts int `json:"conflicts"`        // of them, rows that were in conflict
	Failed    int `json:"failed,omitempty"` // refused although they had been valid
}

// Plus adds counts.
func (c Counts) Plus(d Counts) Counts {
	return Counts{c.Created + d.Created, c.Updated + d.Updated, c.Skipped + d.Skipped, c.Conflicts + d.Conflicts, c.Failed + d.Failed}
}

// Rows is how many rows are counted.
func (c Counts) Rows() int { return c.Created + c.Updated + c.Skipped + c.Failed }

// State is what is known of an upload at one revision. It holds counters only;
// the rows are in the log.
type State struct {
	ID         string
	Status     Status // "" before it was received
	Token      string
	ExpiresAt  time.Time
	Chunks     int // that are in
	Rows       int // that are in; the total once it is prepared
	Conflicts  int // when it was prepared
	Resolution Resolution
	By         string // who confirmed it
	Applied    int    // chunks
	Counts     Counts
}

// Aggregate folds uploads.
var Aggregate = &domain.Aggregate[State]{
	Category: "persona_upload", Prefix: "pup", Noun: "persona upload", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	switch f := e.Fact.(type) {
	case Received:
		s.Status, s.Token, s.ExpiresAt = Receiving, f.Token, f.ExpiresAt
	case RowsParsed:
		s.Chunks, s.Rows = f.Chunk+1, f.First+len(f.Rows)
	case Prepared:
		s.Status, s.Chunks, s.Rows, s.Conflicts = Pending, f.Chunks, f.Total, f.Conflicts
	case Confirmed:
		s.Status, s.Resolution, s.By = Processing, f.Resolution, e.Meta.Actor
	case RowsApplied:
		s.Applied, s.Counts = f.Chunk+1, s.Counts.Plus(f.Counts)
	case Completed:
		s.Status, s.Counts = Done, f.Counts
	case Expired:
		s.Status = TimedOut
	case domain.Erased:
		s.Chunks++ // of all facts the rows alone are sealed
	}
}

// ChunkRevision is where in its stream a chunk stands: the beginning is before
// the first, and nothing comes between them.
func ChunkRevision(chunk int) domain.Revision { return domain.Revision(1 + chunk) }

// PersonaID is the id of the persona that a row makes.
func PersonaID(prefix, upload string, row int) string {
	return domain.FormatID(prefix, uuid.NewSHA1(rowSpace, fmt.Appendf(nil, "%s\x00%d", upload, row)))
}

// rowSpace is the UUIDv5 name space of the ids that rows make.
var rowSpace = uuid.MustParse("0d2f5c1e-7b1c-4c26-9a3f-5f4c1d3b8e90")
