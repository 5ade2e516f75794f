package knowledge

import (
	"encoding/json"
	"fmt"
	"strings"

	"strata/domain"
)

// Mode says what makes a piece fit.
type Mode string

// The modes.
const (
	ByVector Mode = "vector"  // meaning
	ByWords  Mode = "keyword" // words
	Hybrid   Mode = "hybrid"  // both
)

// Question is what is looked for in knowledge bases.
type Question struct {
	Bases []string // ids, ids of their vector indexes, or names
	Query string
	Mode  Mode // default Hybrid
	// VectorWeight says what meaning weighs against words in Hybrid, from 0 to 1;
	// 0 takes the default.
	VectorWeight float64
	Filter       json.RawMessage // on metadata; its faults are named below FilterField
	FilterField  string
	MinScore     *float64
	Limit        int // default 10
}

// Found is a piece of a document that fits.
type Found struct {
	DocumentID, BaseID string
	Name               string // of the document
	ChunkID            string
	Ordinal            int
	Text               string
	Page               int
	Headings           []string
	Metadata           domain.Doc
	Score              float64 // from 0 to 1 unless only meaning counts, which may be opposite
}

// Numbered writes pieces for a model to read: each with its number, from 1, and
// where it stands, so that an answer can name its sources.
func Numbered(pieces []Found) string {
	var b strings.Builder
	for i := range pieces {
		f := &pieces[i]
		fmt.Fprintf(&b, "[%d] %s", i+1, f.Name)
		if f.Page > 0 {
			fmt.Fprintf(&b, ", page %d", f.Page)
		}
		fmt.Fprintf(&b, "\n%s\n\n", f.Text)
	}
	return b.String()
}
