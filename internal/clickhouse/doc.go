// Package clickhouse gives Strata its analytical engine, in one of two forms
// behind one type, [DB]:
//
//   - embedded (the default): libchdb in a child process that [Supervisor]
//     starts by executing Strata's own binary again, restarts when it dies, and
//     stops with it. The child serves ClickHouse's HTTP interface on a unix
//     socket of its own.
//   - a ClickHouse server or cluster, given by URL.
//
// Both are reached through the official driver, so that everything above this
// package (SQL, migrations, inserts) is written once.
//
// The engine lives in a child because it is C++ with threads and memory of its
// own: a crash or a memory cap that strikes ends the child, never the process
// that accepts commands.
package clickhouse
