// Package embedded is Strata's own event log: the adapter of [streams.Store]
// that needs nothing but a directory.
//
// # On disk
//
// A directory holds numbered segments, "000000001.log" and so on, of which the
// last is being written. A segment is a header and then records, one per event
// (record.go), each with a CRC32C over all of it. Space is reserved when the
// segment is made, because syncing a file that does not grow is faster. A full
// segment is sealed: cut to its length and given an index file ("000000001.idx",
// index_file.go) which is only a cache of what the segment says: lost or
// damaged, it is built again. So is the filter file of every 16 segments
// ("000000016.flt", filter.go), which spares look-ups. LOCK keeps a second
// process out, and "head" remembers, after an orderly close, how far the log
// reached.
//
// # Writing
//
// All appends go through one goroutine (writer.go). It takes everything that
// waits, decides each append against the revision its stream will have
// (decide.go), encodes them into one buffer, writes it with one call, syncs
// once, and only then publishes the events to readers and answers the callers.
// So one sync carries many appends, and nobody sees an event that a crash could
// still take back. When a write or a sync fails for any reason but lack of
// space, what is on disk is unknown: the log stops taking appends for good and
// goes on serving reads.
//
// # After a crash
//
// Records carry the offset at which their group of appends began, and a group
// is written only when the one before is on disk. So recovery can tell a torn
// tail (a fault in the last group: cut, and said so in the log) from damage to
// something acknowledged (a fault with a later group behind it: an error with
// file and offset, never skipped). An append of several events is kept whole or
// dropped whole.
//
// # Scavenging
//
// [Log.Scavenge] removes what streams hide from sealed segments. A segment is
// written anew beside the old one, synced, and put in its place by a rename; what
// was removed leaves a record without type, workspace, metadata and data, so that
// positions, revisions and ids stay as they were. Readers hold the gate for one
// step at a time; when all steps begun before the change have ended, the old file
// is let go.
//
// # Copying a log
//
// Segment files may be copied while the log is in use, without the lock. Of the
// one with the highest number, everything up to the last whole append is good.
// All others are complete, and their records are never changed in place: a sealed
// segment is at most cut to its length once, and later replaced as a whole, by a
// rename, with a shorter one. Open it, then copy from the open file. Index and
// filter files need not be copied. The last segment of a log never has an index
// file: one that has tells that a segment behind it is missing.
//
// # Memory
//
// Only the segment being written has its index in memory. Stream heads are a
// cache with a fixed capacity; behind it are the sealed indexes, mapped into
// memory and searched newest first, past most of them by their Bloom filters.
// Recent event ids are two Bloom filters of fixed size.
//
// # System records
//
// Stream metadata, deletions and tombstones are records too, in the stream's
// metadata stream "$$<stream>". Readers of the whole log see them only through
// a filter that names their category or type.
package embedded
