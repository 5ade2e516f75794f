// Package memories does what memories need behind the back of those who write them:
// their texts are embedded, so that they can be found by meaning, and what has
// expired is removed.
//
// Adding a memory does not wait for a model: until its vector is there, and whenever
// the model cannot be had, the memory is found by its words. What is embedded is
// written down as a fact, so that a crash repeats at most the one call that it cut
// off, and folding read models again costs nothing.
//
// A text that cannot be embedded, because the model is away or a budget refuses,
// keeps nothing back: the failure is a fact, too, and a [Sweeper] tries again.
package memories
