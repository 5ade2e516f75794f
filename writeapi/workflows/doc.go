// Package workflows runs workflows: it starts runs, performs what their nodes do,
// and serves the operations that start, watch and steer them.
//
// A run is decided in domain/workflowrun and carried out by commands/steps, at the
// node of the installation whose duty it is. This package is what a step does: it
// fills in the places of a node's config, computes, asks a model through the
// gateway, makes an HTTP request or starts another run, and says what came of it.
package workflows
