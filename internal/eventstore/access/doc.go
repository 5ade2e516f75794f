// Package access decides who may do what with the streams of a log that is served
// over EventStoreDB's protocol: users, kept in the log itself, and the rights that
// streams give them.
//
// A user is an event in the stream "$user-<name>", the last one counts; passwords
// are kept as PBKDF2 hashes. Rights are names of users and groups in the "$acl" of
// a stream's metadata; what it does not say is decided by the last event of the
// stream "$settings", and what that does not say by the defaults: every user may
// do everything with streams, operators also with system streams (those that begin
// with "$", and the whole log), administrators with everything, and whoever gives
// no name nothing.
package access
