// Package httpx is the HTTP layer: one function, [Register], turns a typed Go
// function into a documented, validated, authenticated and observed operation.
//
//	httpx.Register(r, httpx.Op{
//		ID: "getSession", Method: "GET", Path: "/sessions/{uid}", Mount: httpx.V1,
//		Permission: "sessions:read", Reads: "sessions",
//	}, func(ctx context.Context, in *getSession) (httpx.Reply[Session], error) { … })
//
// # What an operation gets
//
// Its input is a struct whose fields carry `path`, `query` or `header` tags,
// an optional field Body, and optionally an embedded [ListParams]. Every fault
// of a request is reported at once. The answer is rendered as its [Mount]
// demands: enveloped and camelCase under /api/v1, plain and snake_case under
// /v1. Errors, rate limits, request ids, read-your-writes, metrics, traces and
// the OpenAPI document come with the registration.
//
// # Two spellings, one meaning
//
// Go types carry snake_case json tags; that spelling is canonical. The JSON of
// a request is rewritten to it in one pass ([rewriter]), and an answer is
// rewritten to its mount's spelling, guided by the shape of the Go type: only
// names that are fields of a type are ever touched. Keys of maps, and all that
// sits under a free-form value, belong to the user and stay as they are.
//
// # Views
//
// One struct describes a resource; `access` tags say where a field may appear,
// and a [View] picks from it: what may be created, changed or shown.
//
// # Life of a request
//
// dispatch (first path segment → gorilla/mux) → request id → authentication →
// rate limit → permission → binding and validation → read-your-writes wait →
// handler → rendering. Each step is a file of this package.
package httpx
