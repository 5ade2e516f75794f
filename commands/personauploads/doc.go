// Package personauploads carries out what was decided about uploads of personas
// (domain/personaupload): it lets those expire that nobody confirms, and applies
// the rows of those that somebody did.
//
// Applying is driven by the upload's own events: the confirmation has the first
// chunk applied, the record of each chunk the next one. So a process that dies
// is followed by one that applies the same chunk again, whose rows make the same
// personas; several uploads take turns; and who follows the events sees how far
// it is.
package personauploads
