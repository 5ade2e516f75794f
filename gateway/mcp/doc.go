// Package mcp calls Model Context Protocol servers for tenants: their tools,
// resources and prompts. It speaks through the official SDK over streamable HTTP,
// server-sent events (the older HTTP transport) and the standard input and output
// of a program.
//
// # Sessions
//
// A session with a server is opened by the first call, shared by all callers of
// its workspace, and closed when it has rested ([Config].Idle) or the server's
// definition changes. One that broke is opened again by the next call. A call that
// a broken session has certainly not delivered is repeated on a new session; one
// that may have arrived is repeated only if it cannot have changed anything, so
// that a tool is never run twice for one call.
//
// # Errors
//
// What a server answers as a JSON-RPC error is an [*Error]: the call went well,
// the answer is no. That a server cannot be reached, is not allowed, or does not
// answer in time is a *domain.Error.
package mcp
