// Package chserver speaks the part of ClickHouse's HTTP interface that the
// official Go driver uses, over an embedded engine. A program written against
// the driver therefore cannot tell it from a ClickHouse server.
//
//   - A statement is the request body; with a "query" parameter the body is
//     rows in Native format for that INSERT statement.
//   - "param_x" parameters fill placeholders {x:Type}; other parameters are
//     settings, valid for the one statement.
//   - Results are Native blocks at the protocol revision the driver asked for.
//     The engine writes revision 0 only, so blocks are transcoded.
//   - Both directions can be in compressed frames (compress, decompress).
//   - A fault answers 500 with ClickHouse's text and X-ClickHouse-Exception-Code.
package chserver
