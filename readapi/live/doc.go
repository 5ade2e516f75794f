// Package live shows events to clients as they happen, over websockets and as
// server-sent events.
//
// One tail per process follows the log, however many clients there are. It
// hands each event to the room of its workspace, where clients with the same
// interest form a group; an event is decoded and rendered once, and touches only
// those who want it. A room keeps its latest events for a few seconds. Whoever
// is further behind than that (it resumes from a position, or it is slow) reads
// the log itself, up to where the room takes over: positions, not queues, say
// what a client has, so nothing is lost and nothing comes twice.
//
// A client that waits costs one small goroutine, which reads. Writing is done by
// a few workers that never wait; a client whose connection is full gets a
// goroutine of its own until it has caught up, and holds up nobody else. One
// that stays slow is told where to resume and closed.
package live
