// Package timers fires timers, and holds what acts on them.
//
// To have something happen at a time:
//
//  1. Name a kind of timer, and its owner: the aggregate it is about. There is
//     one timer of a kind per owner.
//  2. [Set] it, [SetSooner] or [Clear] it, from a reactor that follows the
//     owner's events, and by the owner's state: then a crash between the owner's
//     event and the timer's is made up for when the event comes again.
//  3. React to timer.fired.v1 of the kind (logbus.Reactor; [Budgets] is an
//     example). A reactor is called at least once, so what it does must be
//     harmless when done twice: a command that decides nothing the second time,
//     or an idempotency key made of the fired event's id.
//
// What is promised: a timer fires once for each time it was set, never early,
// and late if nobody ran when it was due. Pending timers cost a row in a small
// read model; only the next one is waited for.
//
// A timer is two events in the log, so it is for what happens per budget, per
// upload or per schedule, not per request: budgets keep one timer for all their
// reservations.
package timers
