// Package readapi is the face of the read side: it answers GET and search from
// the read models, serves live events over SSE and websocket, the console, the
// OpenAPI documents and the documentation page. It changes nothing, and never
// imports writeapi.
package readapi
