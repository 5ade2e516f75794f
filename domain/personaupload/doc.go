// Package personaupload is an upload of personas: files were read, their rows
// wait in the log, and whoever holds the token says what becomes of those that
// are there already.
//
// An upload is received, takes its rows in chunks and is prepared when all of
// them are in; until then nobody can see or confirm it, so a crash leaves
// nothing half there. It is confirmed once, or expires. Confirmed, its chunks
// are applied one after the other; which persona a row makes follows from the
// upload and the row's number, so a row that is applied again makes no second.
//
// The rows are sealed under a key of the upload's own, which is destroyed when
// it has ended: from then on only the personas themselves hold what was in them,
// and erasing one erases all of it.
package personaupload
