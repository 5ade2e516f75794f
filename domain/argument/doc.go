// Package argument is a text that argues for an action to a client: what it was
// asked for with, what a model wrote, and what reviewers thought of it.
//
// The request is durable before the model is called, so an argument that a crash
// left open is still known and can be failed. A failure is not lost either: it
// is the argument's error.
//
// A review goes from pending over waiting_review and reviewing to success or
// failed; see [Transitions]. What was decided can be looked at again, which is
// reviewing once more.
//
// Client data is personal: everything that is said of and for a client is sealed
// under the client's id, or the argument's own when the client has none.
package argument
