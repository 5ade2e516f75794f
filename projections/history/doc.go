// Package history looks at single resources in the past: as they were at a
// revision or a time, what happened to them, and how two of those moments
// differ.
//
// There are no tables behind it. A resource's stream is its history, so the
// past is folded from the log with the aggregate's own fold, event by event:
// the memory needed is that of one state, however long the stream, and the work
// is that of reading the stream from its beginning up to the moment asked for.
package history
