// Package training is the state machine of trainings: a model is trained on the
// data of connectors, here or by a cluster's manager.
//
//	pending ──▶ queued ──▶ running ──▶ succeeded
//	   └──────────┴───────────┴──────▶ failed, cancelled
//
// Whoever trains says with every command which attempt it is at. Changing what
// is trained begins another attempt, and cancelling or deleting ends it; what
// somebody who has not heard of that still reports is refused. So is what was
// recorded before: an epoch or a checkpoint happens once, however often a
// process that died repeats it.
//
// A checkpoint of the built-in trainer is a stream of its own, of category
// "checkpoint", which holds the model in parts. It is therefore wherever the log
// is: at every node, in every backup.
package training
