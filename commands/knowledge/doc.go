// Package knowledge brings what is received into knowledge bases to where it can be
// found: it cuts a document's text, has the pieces embedded batch by batch, and says
// that the document is ready once a search would find all of it.
//
// The work is a run of the step executor (commands/steps), and every step is an
// event on the document's stream. A process that is killed between two of them
// repeats at most the batch it was in, and that only as a call to the model: a
// batch that is recorded already is refused by the document itself.
package knowledge
