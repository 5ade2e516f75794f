// Package persistent has EventStoreDB's persistent subscriptions: groups of
// consumers that share the events of a stream, or of the whole log. The server
// remembers what was processed, hands out again what was not answered in time,
// and parks what fails too often.
//
// # Parts
//
// [Groups] keeps the configuration, which is an event of the log. Every group has
// a runner (runner.go, keeper.go) that reads and writes for it, and a state
// (group.go) that is a plain machine: it is told what was read, what consumers
// answer and what time it is, and decides who gets what. A strategy
// (strategy.go) chooses the consumer. [Service] is the protocol.
//
// # What is promised
//
// At least once: a message is settled when a consumer has acknowledged it or
// said to skip it, or when the link that parks it is on disk. A checkpoint never
// passes a message that is not settled (ledger.go), so that after a crash
// everything behind the last one is handed out again, and nothing is lost.
// Parked messages that are replayed stay in their stream until they are settled.
//
// A message is handed out to one consumer at a time, up to as many as the
// connection said it takes. Fresh ones come in order; those that are tried again
// come before them. A consumer whose connection takes nothing is passed over once
// a message has run out of time there, so it holds nobody up.
//
// # On the log
//
// The configuration is the last event of $persistentSubscriptionConfig. A group
// has two streams: $persistentsubscription-<stream>::<group>-checkpoint, whose
// last event names the place, and …-parked, with a link for each parked message.
package persistent
