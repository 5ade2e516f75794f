// Package timer is time as events: that something is to happen at a time is
// scheduled, moved, cancelled and, when the time has come, fired. Firing is a
// decision on the timer's own stream, so a timer fires once however many
// processes think it is due, and one that came due while nobody ran fires late.
//
// A timer does nothing by itself. Whoever wants to act on it reacts to
// [Fired]; see commands/timers.
package timer
