// Package archive writes a whole log as text and reads it back: to move between
// stores, to look at with everyday tools, to keep for a long time.
//
// A dump is JSON lines: a header, one line per event in the log's order, and a
// trailer.
//
//	{"sum":"5d0c8ba1","strata_dump":1}
//	{"sum":"77af01c2","position":1,"stream":"session-1","revision":0,"id":"…","type":"session.created.v1","workspace":"ws_1","at":"2026-01-02T03:04:05.123456Z","data":{…},"meta":{…}}
//	{"sum":"0e55d2f7","events":1,"sha256":"…"}
//
// data and meta stand as they are when they are JSON; what is sealed or binary,
// or would not survive a line, is base64 in data64 and meta64. Stream metadata,
// soft deletes and tombstones are events of the stream's metadata stream,
// "$$<stream>".
//
// sum is a running CRC-32C over all lines up to here, without the sums, so that
// a fault is told with its line; the trailer's SHA-256 covers all bytes before
// it. A dump without trailer is cut short.
package archive
