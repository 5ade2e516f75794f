// Package session is the log of one agent session: who said and did what, in
// order, and the working state that the agent keeps beside it.
//
// A session is created (optionally under an identifier of the client's own),
// takes events while it is active, and may be closed, after which it can still
// be read, or deleted. Every event may carry a state delta, which is merged
// into the session's state at the top level; a null removes a key.
//
// A session may run for years, so its state holds counters and the working
// state only, never the events: those are in the log and in the read model.
//
// What is said in a session is personal. Facts are sealed under the key of the
// session's user, or of the session itself when it names no user; once that key
// is destroyed they come back as [domain.Erased], which keeps the counting
// right and shows nothing.
package session
