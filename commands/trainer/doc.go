// Package trainer trains what is to be trained and evaluates what is to be
// evaluated, once in an installation, behind the requests that ask for it.
//
// What there is to do is a question to a read model ([Queue]), asked again
// whenever that changes; nothing of it is kept in memory alone. A process that
// is killed leaves a training "running": whoever is on duty next finds it, goes
// on from its newest checkpoint, and ends with the very model an uninterrupted
// training would have made. What it trains again on the way is recorded once.
//
// A training goes to the manager of its workspace's cluster when there is one,
// under an idempotency key, so that handing it over twice starts it once. Without
// one, the built-in trainer takes it, in one goroutine that steps aside all the
// time.
//
// A job notices that its training was cancelled, deleted or changed twice: when
// the read model says so, which ends its context, and by whatever it records
// next, which the training refuses.
package trainer
