// Package analytics derives the inference log and every usage, performance and
// cost figure from the facts of model calls, in ClickHouse.
//
// # Tables
//
// inferences holds one immutable row per call; inference_payloads holds what
// was said, apart, because it lives shorter. Five rollups hold aggregate
// states: rollup_minute, rollup_hour and rollup_day by everything a dashboard
// filters on, rollup_user by day and end user, rollup_total by hour. Dashboards read whole days from
// rollup_day, the hours and minutes at the edges from rollup_hour and
// rollup_minute and the rest from the rows, so long ranges are cheap and every
// range is exact.
//
// # Exactly-once rows
//
// The log delivers at least once, and the engine can be killed between any two
// statements, so [Writer] relies on three properties only:
//
//   - An INSERT of one block into one partition is atomic: it makes one part.
//     The writer therefore inserts month by month.
//   - Within one table and month, rows are inserted in the order of their
//     position in the log. So the highest position found there is a watermark:
//     everything up to it is in.
//   - writer_progress names a position up to which all tables and rollups are
//     complete. It is written last. After a restart only what lies behind it
//     is looked at, delivered again, and skipped below the watermarks.
//
// At a server two things more are needed. One process writes at a time: it
// claims the database in writer_owner ([Owner]), renews that while it lives, and
// sends nothing once the claim is old. And whoever looks at the tables first
// waits until no INSERT runs any more that a process before it left behind.
//
// On a cluster all of that holds of the distributed tables; see layout.
//
// Rollups are filled by the writer, not by materialized views: a view's part
// and the row's part are two commits, and a kill between them would leave the
// rollup short for ever. Each rollup row carries the highest position it
// counts, which makes the rollup its own watermark: it is filled from "after
// what it counts" to "what the rows hold", and doing that twice changes nothing.
//
// # Lanes
//
// Calls that come over Kafka are written by several processes, a [Lane] for each
// partition of the topic. All of the above then holds within a lane: rows,
// rollups, progress and the claim of the one writer bear its number. Lane 0 is
// that of [Writer], which follows the log itself.
package analytics
