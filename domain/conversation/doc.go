// Package conversation is a chat with an app or a model: turns of a question
// and its answer, what they used and cost, and what people thought of them.
//
// A turn is asked, and later answered or failed, under a run id. The question
// is durable before the model is called, so a turn that a crash left open is
// still known: [State.Open] lists open turns with the time they were asked, and
// a reaper fails those that nobody works on any more.
//
// Turns do not exclude each other: a second question may be asked while the
// first one is open. Messages are numbered in the order in which they became
// known, so the answers of two open turns may come in either order;
// [State.Prompt] puts each answer behind its own question again.
//
// A conversation may grow for years, so its state keeps the last messages only
// (see [Window]) and counters for the rest; the whole of it is in the log and in
// the read model.
//
// What is said is personal and sealed under the key of the conversation's user,
// or of the conversation itself when it names no user.
package conversation
