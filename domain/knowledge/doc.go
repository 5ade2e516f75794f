// Package knowledge is what an organisation knows in writing: knowledge bases and
// the documents in them, cut into pieces that can be found by their meaning.
//
// A document is received with its text, which stays in its stream. What follows is
// a run: the text is cut ([Cut], the same text always into the same pieces), the
// pieces are embedded batch by batch, and the document is ready, or the run failed
// and says why. Every step is an event, so that whoever does the work can be killed
// between any two and another goes on where it was. Reprocessing begins another
// run over the same text.
//
// Embeddings are facts, with the piece of text they belong to: making them again
// would cost money, another version of the model would make others, and what is
// searched could not be rebuilt from the log alone.
//
// What documents say is sealed under the document's own id as the subject, so that
// one can be erased everywhere without touching others.
package knowledge
