// Package audit is the form of the audit trail: entries chained by hashes, and
// files of entries that can be checked far from the installation.
//
// Every entry holds the hash of the one before it in its chain, and its own
// hash covers that, who did what to which resource when, and the hash of what
// the log recorded. Nobody can change, remove, insert or move an entry without
// changing every hash behind it. What was recorded enters by the hash of its
// stored form, which is ciphertext for personal data: erasing a person changes
// no hash, and no hash says anything about a person.
//
// A hash covers what an event is and not where a log keeps it (position, time
// of recording), so a chain survives being moved to another log.
package audit
