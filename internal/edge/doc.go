// Package edge is the one address of an installation that runs as several
// processes: a reverse proxy that knows which of them serves an operation.
//
// It spreads requests over the nodes of a room that answer its health checks,
// passes streams and websockets through, and makes the installation look like one
// process to a client that knows nothing of positions: it remembers where each
// caller's last write stands in the log, and has the caller's next requests wait for it
// ([Positions]). What it forgets at a restart is only that.
//
// # What is tried again
//
// A request that no node has seen (the connection could not be made) goes to the
// next one, whatever it is. After that only what is harmless twice is tried again:
// reads, and writes under an Idempotency-Key, as long as nothing of an answer has
// been passed on. Any other write is answered with SERVICE_UNAVAILABLE: it may
// have happened.
package edge
