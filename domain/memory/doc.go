// Package memory is what an agent remembers: one piece of text with what it is
// about (agent, user, session, app), how much it matters, and until when.
//
// A memory is added, revised (the changed fields are merged over it) and
// forgotten. It may expire: an expired memory is not shown or found any more from
// that moment on, which queries decide by their own clock, and it is removed when a
// timer says so.
//
// What a memory means to an embedding model is a [Vector], found out behind the
// client's back and kept as facts: a read model can be folded again without asking
// the model, which costs money, once more.
//
// Memories are personal. They are sealed under the key of the user they are
// about, or under the memory's own when it names no user. When a revision gives
// a memory to another user, its fact carries the whole memory, so that each
// user's key seals everything that was known under that user.
package memory
