// Package kit drives the real server from outside: it starts bin/strata on a
// free port with a data directory of its own, stops it with SIGTERM or kill -9,
// starts it again on the same data, and speaks HTTP, SSE and websockets to it.
// It knows the wire, not the code: no package of the product is imported.
//
// The binary must be built first (make build); STRATA_BIN names another one.
package kit
