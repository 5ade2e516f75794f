package personaupload

import (
	"encoding/json"
	"time"

	"strata/domain"
)

// Row is a persona as a file has it.
type Row struct {
	File      string          `json:"file"`
	Line      int64           `json:"line,omitempty"` // of the file, 0 where a model has read it
	Name      string          `json:"name"`
	Birthdate string          `json:"birthdate"` // YYYY-MM-DD
	Notes     string          `json:"notes"`
	Data      json.RawMessage `json:"data,omitempty"` // an object
}

// Received begins an upload.
type Received struct {
	Token     string    `json:"token"` // SHA-256 of the token's secret, hexadecimal
	Files     int       `json:"files"`
	ExpiresAt time.Time `json:"expires_at"`
}

// EventType implements domain.Fact.
func (Received) EventType() string { return "persona_upload.received.v1" }

// RowsParsed is a chunk of the rows, in the order of the files.
type RowsParsed struct {
	Chunk   int    `json:"chunk"` // from 0, without gaps
	First   int    `json:"first"` // number of its first row in the upload, from 0
	Rows    []Row  `json:"rows"`
	Subject string `json:"subject"` // whose key seals this fact: the upload
}

// EventType implements domain.Fact.
func (RowsParsed) EventType() string { return "persona_upload.rows_parsed.v1" }

// DataSubject implements domain.PersonalFact.
func (f RowsParsed) DataSubject() string { return f.Subject }

// Prepared says that all rows are in.
type Prepared struct {
	Total     int `json:"total"`
	Chunks    int `json:"chunks"`
	Conflicts int `json:"conflicts"` // rows whose name and birthdate are those of a persona, or of a row before
}

// EventType implements domain.Fact.
func (Prepared) EventType() string { return "persona_upload.prepared.v1" }

// Confirmed says what becomes of conflicts. It uses the token up.
type Confirmed struct {
	Resolution Resolution `json:"resolution"`
}

// EventType implements domain.Fact.
func (Confirmed) EventType() string { return "persona_upload.confirmed.v1" }

// RowsApplied says what became of a chunk.
type RowsApplied struct {
	Chunk int `json:"chunk"`
	Counts
}

// EventType implements domain.Fact.
func (RowsApplied) EventType() string { return "persona_upload.rows_applied.v1" }

// Completed says what became of all rows.
type Completed struct{ Counts }

// EventType implements domain.Fact.
func (Completed) EventType() string { return "persona_upload.completed.v1" }

// Expired says that nobody confirmed the upload in time.
type Expired struct{}

// EventType implements domain.Fact.
func (Expired) EventType() string { return "persona_upload.expired.v1" }

// FactTypes lists the facts for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Received](),
		domain.FactOf[RowsParsed](),
		domain.FactOf[Prepared](),
		domain.FactOf[Confirmed](),
		domain.FactOf[RowsApplied](),
		domain.FactOf[Completed](),
		domain.FactOf[Expired](),
	}
}
