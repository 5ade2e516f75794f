// Package personas is what can be done with personas beside creating and
// changing them one by one: having a model complete one from a conversation,
// and uploading many in files.
//
// An upload is read as it arrives: rows go to a temporary file while they are
// checked, so that a file with a fault leaves nothing behind, and from there to
// the log in chunks (domain/personaupload). What becomes of them after the
// confirmation is done behind the answer (commands/personauploads).
package personas
