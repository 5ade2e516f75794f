// Package subjectkeys keeps the keys that personal data is sealed under, one per
// subject, in a SQLite file of its own. Destroying a key erases whatever was
// sealed under it, in every copy of it that exists anywhere.
//
// A key is 256 random bits: one that could be derived from something else could
// not be destroyed. It is wrapped with the installation's master key, so the
// file alone opens nothing. A new key is on disk before anything is sealed under
// it; callers that need new keys at the same time share one sync. A destroyed
// key leaves a row without a key, by which "erased" is told from "lost": what
// names a key that is not there at all is [ErrLost], loudly.
//
// A subject whose key was destroyed gets a new one when something new is to be
// sealed for it. What was sealed before stays unreadable, because sealed data
// names its key.
package subjectkeys
