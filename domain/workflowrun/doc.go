// Package workflowrun is one run of a workflow, as a stream of what its nodes did.
// The run keeps the definition that it began with, so whatever becomes of the
// workflow does not concern it.
//
// A step is what is done for a node; a loop has one more for each of its items
// ("each[3]"). It begins, if it has effects, and ends or fails; between that it
// may be open, waiting for a time, a person, another run, or its items. A step
// that failed in a way that may pass is retried by the node's rule.
//
// [State.Plan] says what is to be done next; commands/steps has it done. To retry
// or fork a run is to start another one that carries some of its results.
//
// What goes through a run is personal: it is sealed under the key of whoever
// started it.
package workflowrun
