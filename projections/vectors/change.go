package vectors

import "strata/domain"

// Change is what an event does to the rows of one item: a document, a memory.
type Change struct {
	Position  domain.Position
	Workspace string
	Index     string // what is searched as one: a knowledge base, the memories of a workspace
	Item      string // "" clears the whole index
	// Clear removes everything the item has, before Rows are put.
	Clear bool
	Rows  []Row
}

// Row is a piece of text that can be found.
type Row struct {
	Ordinal   uint32     // of the piece in its item; a row with the same one is replaced
	Subject   string     // whom it is about, so that it goes when they are erased
	Model     string     // that made the embedding; vectors of different models are never compared
	Text      string     // what is found
	Metadata  domain.Doc // what filters see
	Embedding []float32
}
