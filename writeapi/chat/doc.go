// Package chat runs the turns of conversations: it records the question, asks
// a model through the gateway and records the answer, so that a conversation
// survives whatever happens in between. The same turn is served as one JSON
// answer, as server-sent events and over a websocket.
package chat
