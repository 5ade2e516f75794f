package httpx

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"strata/domain"
)

// Header names beyond the standard ones.
const (
	HeaderRequestID      = "X-Request-Id"
	HeaderCorrelationID  = "X-Correlation-Id"
	HeaderIdempotencyKey = "Idempotency-Key"
	HeaderPosition       = "Strata-Position"
	HeaderMinPosition    = "Strata-Min-Position"
	HeaderLag            = "Strata-Lag"
)

// maxIdempotencyKey bounds the length of an Idempotency-Key, in bytes.
const maxIdempotencyKey = 255

// Request is what the transport knows of a request; see [From].
type Request struct {
	ID             string // X-Request-Id of the answer
	CorrelationID  string // X-Correlation-Id, else the request's id
	IdempotencyKey string
	IfMatch        *domain.Revision // nil: unconditional
	IfMatchAny     bool             // If-Match: * — the resource must exist
	MinPosition    domain.Position
	Principal      domain.Principal // zero for public operations
	Mount          *Mount
	Operation      string // id of the operation
}

type requestKey struct{}

// requestContext carries the exchange; cheaper than context.WithValue and the
// only value that this package puts in a context.
type requestContext struct {
	context.Context
	x *exchange
}

// Value implements context.Context.
func (c *requestContext) Value(key any) any {
	if _, ok := key.(requestKey); ok {
		return c.x
	}
	return c.Context.Value(key)
}

func exchangeOf(ctx context.Context) *exchange {
	x, _ := ctx.Value(requestKey{}).(*exchange)
	return x
}

// From returns the request that a context belongs to. Outside of a request it
// returns an empty one, never nil.
func From(ctx context.Context) *Request {
	if x := exchangeOf(ctx); x != nil {
		return &x.Request
	}
	return &Request{}
}

// Wrote tells of a write by a raw or streaming handler, whose answer has no
// place for a position: the caller's next reads include it.
func Wrote(ctx context.Context, p domain.Position) {
	x := exchangeOf(ctx)
	if x == nil || x.table == nil || p == 0 {
		return
	}
	x.note(p)
	for {
		before := x.written.Load()
		if before >= uint64(p) || x.written.CompareAndSwap(before, uint64(p)) {
			return
		}
	}
}

// WithRequest returns a context that [From] answers with req; for tests and for
// work that goes on after its request.
func WithRequest(ctx context.Context, req Request) context.Context {
	return &requestContext{ctx, &exchange{Request: req}}
}

// requestID accepts a client's id when it is sane and makes one otherwise.
func requestID(client string) string {
	if n := len(client); n < 1 || n > 128 {
		return domain.NewID("req")
	}
	for i := range len(client) {
		c := client[i]
		letter := (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')
		if !letter && strings.IndexByte("-_.:", c) < 0 {
			return domain.NewID("req")
		}
	}
	return client
}

// sent is the first value of a header, whose name has to be in canonical form;
// http.Header's own Get checks that anew for every header of every request.
func sent(h http.Header, canonical string) string {
	if values := h[canonical]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// minPosition is the position that a request names, as it was sent, and where.
func (x *exchange) minPosition() (raw, name string) {
	if raw = sent(x.r.Header, HeaderMinPosition); raw != "" || x.r.URL.RawQuery == "" {
		return raw, HeaderMinPosition
	}
	return firstOf(x.queryValues(), "min_position", "minPosition"), "min_position"
}

// readHeaders parses the conditional and consistency headers; what is wrong
// with them is added to faults.
func (x *exchange) readHeaders(faults *[]domain.FieldError) {
	h := x.r.Header
	if key := sent(h, HeaderIdempotencyKey); key != "" {
		x.IdempotencyKey = key
		if len(key) > maxIdempotencyKey {
			*faults = append(*faults, fieldFault(HeaderIdempotencyKey, "must not be longer than 255 bytes"))
		}
	}
	if tag := sent(h, "If-Match"); tag != "" {
		if !x.parseIfMatch(tag) {
			*faults = append(*faults, fieldFault("If-Match", `must be "*" or a revision in quotes, as the ETag header gives it`))
		}
	}
	if raw, name := x.minPosition(); raw != "" {
		position, err := strconv.ParseUint(raw, 10, 64)
		if err != nil {
			*faults = append(*faults, fieldFault(name, "must be a position, as the Strata-Position header gives it"))
		}
		x.MinPosition, x.asked = domain.Position(position), true
	}
}

func (x *exchange) parseIfMatch(tag string) bool {
	tag = strings.TrimSpace(tag)
	if tag == "*" {
		x.IfMatchAny = true
		return true
	}
	tag = strings.TrimPrefix(tag, "W/")
	if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return false
	}
	n, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64)
	if err != nil || n < 0 {
		return false
	}
	revision := domain.Revision(n)
	x.IfMatch = &revision
	return true
}

func etag(revision domain.Revision) string {
	return `"` + strconv.FormatInt(int64(revision), 10) + `"`
}

// bearer returns the token of a request.
func bearer(r *http.Request, query bool) string {
	const scheme = "bearer "
	if h := sent(r.Header, "Authorization"); len(h) > len(scheme) && strings.EqualFold(h[:len(scheme)], scheme) {
		return strings.TrimSpace(h[len(scheme):])
	}
	if query {
		return r.URL.Query().Get("access_token")
	}
	return ""
}
