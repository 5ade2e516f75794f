// Package commands runs commands: it loads an aggregate, checks that the
// caller may see it, asks the pure decision what follows, and appends the
// answer to the log, under the promises every write of Strata keeps:
//
//   - Acknowledged means durable. An answer leaves only after the log's sync.
//   - Optimistic concurrency. Facts are appended against the revision they
//     were decided on; when another writer was faster, the command decides
//     again on the new state, unless the caller pinned a revision.
//   - Idempotency. With an idempotency key, event ids and new resource ids are
//     derived from it, so a retry finds what the first try wrote and answers
//     the same, also after a restart.
//   - Combining. Commands that wait on one stream are decided one after
//     another in memory and appended together, so a hot stream (a budget under
//     a thousand concurrent calls) costs one sync per batch, not per command.
//
// [Run] is the way in for rich aggregates, [Resources] for plain kinds.
package commands
