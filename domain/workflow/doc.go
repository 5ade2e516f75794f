// Package workflow says what a workflow is: a graph without cycles, of nodes that
// do something and edges that say what comes after what.
//
// A node begins when it is known of each of its incoming edges whether it is
// taken, and one of them is; when none is, the node is skipped, and none of its
// own edges is taken. An edge is taken when its source has ended, has chosen the
// edge's handle if it has one, and the edge's condition holds if it has one. A
// node that failed takes its edges with the handle "error", if there are any;
// otherwise the run fails.
//
// Expressions (see domain/formula) see:
//
//	inputs  what the run was given
//	nodes   outputs of the nodes before this one that have ended, by id; not of
//	        those that happen to run beside it, so that it sees the same every time
//	input   the output of the one node before, or of several by their ids
//	run     id and start of the run
//	item, index  in what a loop does for each of its items
//
// [Problems] names everything that is wrong with a definition.
package workflow
