package vectors

import (
	"encoding/json"
	"strings"

	"strata/domain"
	"strata/domain/knowledge"
)

// categories are the streams whose events change vectors.
func categories() []string {
	return []string{knowledge.Bases.Category, knowledge.Documents.Category}
}

// Fields of metadata that say where a piece comes from. Clients' own fields do not
// begin with an underscore, so that the two can be told apart; filters see both.
const (
	FieldName     = "_name"     // of the document
	FieldPage     = "_page"     // from 1; absent where there are no pages
	FieldHeadings = "_headings" // above it, from the top; absent where there are none
	FieldStart    = "_start"    // in the document's text, in bytes
	FieldEnd      = "_end"
	FieldTokens   = "_tokens"
)

// Own is metadata without the fields that say where a piece comes from.
func Own(metadata domain.Doc) domain.Doc {
	own := domain.Doc{}
	for key, value := range metadata {
		if !strings.HasPrefix(key, "_") {
			own[key] = value
		}
	}
	return own
}

// ChangesOf says what an event does to vectors: nothing, mostly.
func ChangesOf(e domain.Event) []Change {
	c := Change{Position: e.Position, Workspace: e.Meta.Workspace, Item: e.Stream.Key()}
	switch f := e.Fact.(type) {
	case knowledge.Embedded:
		c.Index = f.BaseID
		for _, p := range f.Pieces {
			c.Rows = append(c.Rows, rowOf(f, p))
		}
	case knowledge.ReprocessingAsked:
		c.Index, c.Clear = f.BaseID, true
	case knowledge.DocumentDeleted:
		c.Index, c.Clear = f.BaseID, true
	case knowledge.BaseDeleted:
		c.Index, c.Item, c.Clear = e.Stream.Key(), "", true
	default:
		return nil
	}
	return []Change{c}
}

func rowOf(f knowledge.Embedded, p knowledge.Piece) Row {
	metadata := domain.Doc(nil).Merge(f.Metadata)
	for key, value := range map[string]any{FieldName: f.Name, FieldPage: p.Page, FieldHeadings: p.Headings,
		FieldStart: p.Start, FieldEnd: p.End, FieldTokens: p.Tokens} {
		if key == FieldPage && p.Page == 0 || key == FieldHeadings && len(p.Headings) == 0 {
			continue
		}
		if text, err := json.Marshal(value); err == nil { // texts and numbers always are JSON
			metadata[key] = text
		}
	}
	return Row{Ordinal: uint32(p.Ordinal), Subject: f.Subject, Model: f.Model, Text: p.Text, Metadata: metadata, Embedding: p.Embedding} //nolint:gosec // from 0
}
