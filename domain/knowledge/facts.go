package knowledge

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"strata/domain"
)

// Section is a stretch of text that stands in one place of a document.
type Section struct {
	Headings []string `json:"headings,omitempty"` // above it, from the top
	Page     int      `json:"page,omitempty"`     // from 1; 0 where there are none
	Text     string   `json:"text"`
	// Continues says that it goes on with the text of the section before: one that
	// was too long for an event.
	Continues bool `json:"continues,omitempty"`
}

// Received is a document that came in, without its text.
type Received struct {
	BaseID string `json:"base_id"`
	About
	MIMEType   string `json:"mime_type"`
	SizeBytes  int64  `json:"size_bytes"`
	Checksum   string `json:"checksum"`
	Characters int    `json:"characters"`
	Settings
	Subject string `json:"subject,omitempty"` // whose key seals what it is about
}

// EventType implements domain.Fact.
func (Received) EventType() string { return "knowledge_document.received.v1" }

// SplitPersonal implements domain.PartlyPersonalFact.
func (f Received) SplitPersonal() (open domain.Fact, personal any, subject string) {
	personal, subject = f.About, f.Subject
	f.About = About{}
	return f, personal, subject
}

// TextKept is a part of a document's text, in order.
type TextKept struct {
	Sections []Section `json:"sections"`
	Subject  string    `json:"subject,omitempty"`
}

// EventType implements domain.Fact.
func (TextKept) EventType() string { return "knowledge_document.text_kept.v1" }

// DataSubject implements domain.PersonalFact.
func (f TextKept) DataSubject() string { return f.Subject }

// WasCut says into how many pieces a run has cut the text.
type WasCut struct {
	Run    int `json:"run"`
	Chunks int `json:"chunks"`
	Tokens int `json:"tokens"`
}

// EventType implements domain.Fact.
func (WasCut) EventType() string { return "knowledge_document.chunked.v1" }

// Embedded is a batch of pieces with their embeddings, the next in order.
type Embedded struct {
	Run    int    `json:"run"`
	BaseID string `json:"base_id"`
	First  int    `json:"first"` // ordinal of the first of them
	Count  int    `json:"count"`
	Of     int    `json:"of"` // all pieces of the run
	Model  string `json:"model"`
	Contents
	Subject string `json:"subject,omitempty"`
}

// Contents are what a batch says.
type Contents struct {
	About
	Pieces []Piece `json:"pieces,omitempty"`
}

// Piece is a chunk with its embedding.
type Piece struct {
	Chunk
	Embedding Vector `json:"embedding"`
}

// EventType implements domain.Fact.
func (Embedded) EventType() string { return "knowledge_document.embedded.v1" }

// SplitPersonal implements domain.PartlyPersonalFact.
func (f Embedded) SplitPersonal() (open domain.Fact, personal any, subject string) {
	personal, subject = f.Contents, f.Subject
	f.Contents = Contents{}
	return f, personal, subject
}

// Ready says that all of a document can be found.
type Ready struct {
	Run int `json:"run"`
}

// EventType implements domain.Fact.
func (Ready) EventType() string { return "knowledge_document.ready.v1" }

// RunFailed says why a run cannot be brought to its end.
type RunFailed struct {
	Run   int    `json:"run"`
	Error string `json:"error"`
}

// EventType implements domain.Fact.
func (RunFailed) EventType() string { return "knowledge_document.failed.v1" }

// ReprocessingAsked begins another run: what the last one made is no longer found.
type ReprocessingAsked struct {
	Run    int    `json:"run"`
	BaseID string `json:"base_id"`
	Settings
}

// EventType implements domain.Fact.
func (ReprocessingAsked) EventType() string { return "knowledge_document.reprocessing_asked.v1" }

// DocumentDeleted removes a document.
type DocumentDeleted struct {
	BaseID string `json:"base_id"`
}

// EventType implements domain.Fact.
func (DocumentDeleted) EventType() string { return "knowledge_document.deleted.v1" }

// Vector is an embedding. In JSON it is base64 of little-endian 32-bit floats: a
// quarter of what digits take.
type Vector []float32

// MarshalJSON implements json.Marshaler.
func (v Vector) MarshalJSON() ([]byte, error) {
	raw := make([]byte, 4*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint32(raw[4*i:], math.Float32bits(x))
	}
	return json.Marshal(base64.StdEncoding.EncodeToString(raw))
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Vector) UnmarshalJSON(text []byte) error {
	var raw []byte // as encoding/json reads base64
	if err := json.Unmarshal(text, &raw); err != nil || len(raw)%4 != 0 {
		return fmt.Errorf("an embedding of %d bytes: %w", len(raw), err)
	}
	*v = make(Vector, len(raw)/4)
	for i := range *v {
		(*v)[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return nil
}
