// Package documents turns files into text and into rows.
//
// [Extractor.Sections] reads a document as stretches of text that know under
// which headings and on which page they stand, so that whoever cuts them into
// chunks can cite the place. [Extractor.Rows] reads a table, or a list of JSON
// objects, as records. Both stream: what is in memory at a time is a section or
// a record, never the file. [Detect] tells the format of a file.
//
//	text and Markdown, HTML, PDF, DOCX    sections
//	CSV, JSON, JSONL, XLSX                rows, and sections made of them
//
// Files come from strangers. Every reader is bounded by [Limits] in what it
// takes, what it makes of it and how deep it goes; what is exceeded is named by
// a *domain.Error with code PAYLOAD_TOO_LARGE, and a file that is not what it
// claims to be is INVALID_REQUEST. Formats that need more than one look at the
// file (PDF, DOCX, XLSX) are kept in a temporary file meanwhile, unless they
// come in a form that can be read at any place, such as an *os.File.
//
// PDF is read by a library that trusts sizes a file states, so it runs in a
// child process ([ChildMain]) that may die: of too much memory or, by our hand,
// of too much time.
package documents
