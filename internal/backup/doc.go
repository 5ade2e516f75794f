// Package backup keeps copies of what an installation cannot derive from
// anything else: the event log, the keys, and what reactors remember. Read
// models and the analytics tables are folded from the log again after a restore;
// the time that takes is the price of small backups.
//
// # In a backup directory
//
//	manifest.json           what belongs to the backup, with sizes and SHA-256
//	log/000000001-<sha>.log segments
//	files/<name>-<sha>      other files
//	LOCK                    keeps a second backup out
//
// Files carry their hash in their name and are never changed. So a backup puts
// the new ones beside the old ones, then replaces the manifest in one step, and
// only then removes what nobody names any more: killed at any point, it leaves
// the backup before it whole. A sealed segment that has not changed since is not
// copied again.
//
// Of the subject keys there is one copy, the current one: the key of an erased
// subject leaves the backup with the next run, or at once with [ChangeKeys]. It
// is copied after the log, so it may hold keys that nothing in the backup needs,
// but never lacks one.
//
// # While the server runs
//
// Nothing is locked. The log is append only, so its beginning, copied up to any
// whole append, is the log as it was at that moment. What reactors remember is
// copied before the log: restored, they handle again what came between, which
// they must bear anyway.
package backup
