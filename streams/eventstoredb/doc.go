// Package eventstoredb is the adapter of [streams.Store] for a log that is
// served over EventStoreDB's protocol: by EventStoreDB or KurrentDB, or by
// `strata eventstore`.
//
// # What it takes from the official client
//
// Connection strings are read, and messages are written and read, by the
// official Go client's module: its configuration and its generated calls. Its
// Client type is left out, because a supervisor around it cannot make it safe:
// after about a second without a server it closes itself for ever; it waits for
// a connection without regard to contexts; a call that fails while the client is
// closed sends on a closed channel, and an answer that it does not know ends the
// process. Nor can it append in batches, read with a filter, or tell by what
// revision an append was refused. So the connection is ours (connection.go): it
// is looked for until it is found, dropped when it breaks, moved when a node says
// that another one leads, and whoever waits for it waits as long as their context.
//
// # Writing
//
// All appends of a process go over one BatchAppend stream (batch.go): each is
// on its way at once, and answers come back in any order. An append whose answer
// was lost is sent again with the same event ids, which the server recognises, so
// it is done once; only when the caller's context ends, or [Options.Patience], is
// the outcome left open ([streams.ErrUnavailable]). The protocol does not say
// whether an append was a repeat. The position says it: what lies no higher than
// what was known of the log before is not new (append.go).
//
// # Following
//
// One subscription per process follows the end of the log, without a filter, and
// keeps the latest events in memory (tail.go). Subscriptions of the port take
// theirs from there, each with its filter; one that is further behind reads pages
// that the server filters, up to where memory begins. So any number of them costs
// the server one, each knows exactly up to where it has looked, and a lost
// connection is mended in one place: it goes on behind the last event it saw.
//
// # What is kept, and how
//
// An event's id, type and data are the server's; data that is JSON is declared
// as such. Metadata is the event's metadata; its member "workspace" is the
// workspace, and where a writer said otherwise a member in front says so
// (envelope.go). Positions are commit positions. Times are the server's.
//
// Stream metadata has EventStoreDB's own names. `$tb` also says what a deletion
// hid, so a member of ours beside it remembers which of both was meant (meta.go).
//
// The adapter is no [streams.Importer]: the server gives out revisions and times.
package eventstoredb
