// Package engine binds libchdb, the ClickHouse engine as a shared library,
// without cgo.
//
// It is used in the child process only (see package clickhouse): the library
// is C++ and lives in the address space of whoever loads it, so a fault in it
// takes that process down.
//
// The rules of the library that shape this package:
//
//   - One storage directory per process, any number of connections to it.
//   - A connection runs one statement at a time, and none while an insert
//     stream is open on it. [Conn] guards that with a mutex; use several
//     connections for concurrency.
//   - Rows to insert never follow the statement as inline data, because the
//     SQL parser stops reading at 256 KiB; they go through an insert stream.
package engine
