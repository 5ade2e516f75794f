// Package vectors finds text by its meaning: pieces of text with their embeddings
// in ClickHouse, searched exactly, with filters on metadata and, if wanted, with
// the words mixed in.
//
// # Where rows come from
//
// Rows are derived from the log like every other read model: an event that says
// "this text was embedded" carries text and vector (calling the model again would
// cost money, and the model may be gone), so the table can be thrown away and
// filled again. Who embeds something adds a case to [ChangesOf].
//
// [Writer] follows the log under the router of reactors. It may be given an event
// twice: a row bears the position of its event as its version, and the table keeps
// the latest version of a key. What was deleted stays as a row that says so, which
// an older event that comes again cannot undo.
//
// # How it is searched
//
// [Queries.Search] looks at every row of the indexes it is asked about. On two
// processors a hundred thousand vectors of 384 numbers take a tenth of a second.
// The engine's own index for vectors (HNSW) was tried at that size: it took
// minutes to build, answered slower than the exact search, knows nothing of
// replaced rows and finds less under a filter. So there is none.
package vectors
