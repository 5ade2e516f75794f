// Package writeapi is the face of the write side: it turns POST, PUT, PATCH and
// DELETE into commands, and mounts the gateway's model calls. It answers with
// the state its own command left, so a client never reads an older one back.
//
// An operation is one call of [command] (rich aggregates), a line in the
// catalogue (plain kinds, see kinds.go) or a raw handler (model calls, chat).
// It never imports readapi, and readapi never imports it.
package writeapi
