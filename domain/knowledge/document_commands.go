package knowledge

import (
	"strings"
	"unicode/utf8"

	"strata/domain"
)

// MaxText bounds the text of one document, in bytes: it is appended as a whole.
const MaxText = 6 << 20

// partSize is about how much text one event holds.
const partSize = 256 << 10

// Receive takes a document into a base.
type Receive struct {
	BaseID string
	About
	MIMEType  string
	SizeBytes int64
	Checksum  string
	Sections  []Section // its text
	Settings
}

// Decide implements domain.Decider.
func (c Receive) Decide(_ domain.Env, d *Document) ([]domain.Fact, error) {
	if d.Run > 0 {
		return nil, domain.Errorf(domain.CodeConflict, "document %q exists already", d.ID)
	}
	var f domain.Faults
	f.Add(strings.TrimSpace(c.Name) == "", "name", "is required")
	f.Add(utf8.RuneCountInString(c.Name) > maxName, "name", "must be at most %d characters long", maxName)
	f.Add(sizeOf(c.Metadata) > maxMetadata, "metadata", "must be at most %d bytes of JSON", maxMetadata)
	for key := range c.Metadata {
		f.Add(strings.HasPrefix(key, "_"), "metadata."+key, "must not begin with an underscore, which fields of our own do")
	}
	c.Settings.check(&f)
	text := Join(c.Sections)
	f.Add(strings.TrimSpace(text) == "", "file", "has no text in it")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if len(text) > MaxText {
		return nil, domain.Errorf(domain.CodePayloadTooLarge, "the document has %d bytes of text; at most %d are taken, cut it in two", len(text), MaxText)
	}
	facts := []domain.Fact{Received{BaseID: c.BaseID, About: c.About, MIMEType: c.MIMEType, SizeBytes: c.SizeBytes, Checksum: c.Checksum,
		Characters: utf8.RuneCountInString(text), Settings: c.Settings, Subject: d.ID}}
	for _, part := range parts(c.Sections) {
		facts = append(facts, TextKept{Sections: part, Subject: d.ID})
	}
	return facts, nil
}

// parts spreads sections over events.
func parts(sections []Section) [][]Section {
	var all [][]Section
	var part []Section
	size := 0
	flush := func() {
		if len(part) > 0 {
			all = append(all, part)
		}
		part, size = nil, 0
	}
	for _, s := range sections {
		for text := s.Text; text != ""; {
			if size >= partSize {
				flush()
			}
			n := min(len(text), partSize-size)
			for n < len(text) && !utf8.RuneStart(text[n]) {
				n++
			}
			part = append(part, Section{Headings: s.Headings, Page: s.Page, Text: text[:n], Continues: len(text) < len(s.Text)})
			text, size = text[n:], size+n
		}
	}
	flush()
	return all
}

// Collect puts the parts of a text together again, one after another.
func Collect(sections []Section, part TextKept) []Section {
	for _, s := range part.Sections {
		if last := len(sections) - 1; s.Continues && last >= 0 {
			sections[last].Text += s.Text
			continue
		}
		s.Continues = false
		sections = append(sections, s)
	}
	return sections
}

func sizeOf(d domain.Doc) int {
	n := 2
	for k, v := range d {
		n += len(k) + len(v) + 4
	}
	return n
}

// NoteCut says into what the text of a run was cut. A run that is not under way any
// more is left alone.
type NoteCut struct {
	Run, Chunks, Tokens int
}

// Decide implements domain.Decider.
func (c NoteCut) Decide(_ domain.Env, d *Document) ([]domain.Fact, error) {
	if !d.working(c.Run) || d.Status == Processing {
		return nil, nil
	}
	return []domain.Fact{WasCut{Run: c.Run, Chunks: c.Chunks, Tokens: c.Tokens}}, nil
}

// Embed adds the embeddings of the next pieces. Pieces that are there already, and
// those of another run, are not added.
type Embed struct {
	Run, First int
	Pieces     []Piece
}

// Decide implements domain.Decider.
func (c Embed) Decide(_ domain.Env, d *Document) ([]domain.Fact, error) {
	if !d.working(c.Run) || d.Status != Processing || d.Embedded != c.First {
		return nil, nil
	}
	return []domain.Fact{Embedded{Run: c.Run, BaseID: d.BaseID, First: c.First, Count: len(c.Pieces), Of: d.Chunks, Model: d.EmbeddingModel,
		Contents: Contents{About: d.About, Pieces: c.Pieces}, Subject: d.ID}}, nil
}

// Finish ends a run whose pieces are all embedded and can be found.
type Finish struct{ Run int }

// Decide implements domain.Decider.
func (c Finish) Decide(_ domain.Env, d *Document) ([]domain.Fact, error) {
	if !d.working(c.Run) {
		return nil, nil
	}
	if d.Status != Processing || d.Embedded < d.Chunks {
		return nil, domain.Errorf(domain.CodeConflict, "%d of %d pieces are embedded", d.Embedded, d.Chunks)
	}
	return []domain.Fact{Ready(c)}, nil
}

// Fail ends a run that cannot be brought to its end.
type Fail struct {
	Run   int
	Error string // a sentence for a person
}

// Decide implements domain.Decider.
func (c Fail) Decide(_ domain.Env, d *Document) ([]domain.Fact, error) {
	if !d.working(c.Run) {
		return nil, nil
	}
	return []domain.Fact{RunFailed(c)}, nil
}

// Reprocess begins another run. What is not set stays as it was.
type Reprocess struct {
	EmbeddingModel          string
	ChunkSize, ChunkOverlap *int
}

// Decide implements domain.Decider.
func (c Reprocess) Decide(_ domain.Env, d *Document) ([]domain.Fact, error) {
	if err := d.there(); err != nil {
		return nil, err
	}
	if d.Erased {
		return nil, domain.Gone(Documents.Noun, d.ID)
	}
	s := d.Settings
	if c.EmbeddingModel != "" {
		s.EmbeddingModel = c.EmbeddingModel
	}
	if c.ChunkSize != nil {
		s.ChunkSize = *c.ChunkSize
	}
	if c.ChunkOverlap != nil {
		s.ChunkOverlap = *c.ChunkOverlap
	}
	var f domain.Faults
	s.check(&f)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return []domain.Fact{ReprocessingAsked{Run: d.Run + 1, BaseID: d.BaseID, Settings: s}}, nil
}

// DeleteDocument removes a document, whatever its state.
type DeleteDocument struct{}

// Decide implements domain.Decider.
func (DeleteDocument) Decide(_ domain.Env, d *Document) ([]domain.Fact, error) {
	if err := d.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{DocumentDeleted{BaseID: d.BaseID}}, nil
}
