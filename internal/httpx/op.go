package httpx

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"strata/domain"
)

// Op declares an operation: its address, who may call it and how it is
// documented. It is plain data; [Register] and [Router.Raw] bring it to life.
type Op struct {
	ID          string // operation id, unique: "listSessions"
	Method      string
	Path        string // relative to the mount, "/sessions/{uid}"; "{name:.+}" takes the rest of the path
	Mount       *Mount
	Tag         string
	Summary     string
	Description string
	Deprecated  bool

	Permission string // "sessions:read"; empty: any valid credential will do
	Public     bool   // no credential needed
	// Installation says that all tenants are concerned: beside the permission,
	// the caller must be one of those who run the installation (Options.Runs).
	Installation bool

	Status int    // of success; default 200
	NoBody bool   // 204, no body
	Reads  string // projection the answer comes from, for read-your-writes

	Paging      Paging
	PageDefault int // items of a page unless the request says; default by Paging
	PageMax     int // more are clamped; default 100
	// Filters are query parameters copied to ListParams.Filters: "name",
	// "name:type" (integer, number, boolean, date-time) or "name=one|two".
	Filters []string
	Sort    []string // fields to sort by; the first is the default
	Search  bool     // takes ?search=

	// Body is the type of the request's body when the input's Body is a
	// json.RawMessage: it then holds the canonical JSON of a valid Body.
	Body     reflect.Type
	BodyView View
	MaxBody  int64 // bytes; default Options.MaxBody
	// Unknown says more of body fields that are not known here, but that callers
	// of a similar operation send: where to go with them.
	Unknown map[string]string
	// Result is the type of the answer when the Go type does not tell
	// (json.RawMessage, raw handlers).
	Result      reflect.Type
	ResultView  View
	ResultMedia string // of a raw handler's answer; default application/json
	// AlsoMedia and AlsoStatus are what an answer can be instead: frames when the
	// request asks for a stream, 200 in place of 202.
	AlsoMedia  []string
	AlsoStatus []int

	BodyExample   any // Go value or json.RawMessage in canonical spelling; else built from `example` tags
	ResultExample any

	Timeout   time.Duration // default Options.Timeout
	Streaming bool          // SSE or websocket: no timeout, no compression, access_token in the query is accepted

	Source string // file:line of the registration; filled in when empty
}

// Paging is how the answers of a list are cut into pages.
type Paging int

// The styles of paging.
const (
	NoPaging Paging = iota
	Cursor          // limit (25), cursor, offset
	After           // limit (10), after: the id of the last item seen
	Pages           // page (1), page_size (20), also spelled pageSize
)

func (p Paging) defaultSize() int { return [...]int{NoPaging: 0, Cursor: 25, After: 10, Pages: 20}[p] }

// ListParams are the paging, sorting and filtering of a list, as Op.Paging,
// Op.Sort, Op.Search and Op.Filters allow. Embed it in an input struct.
type ListParams struct {
	Limit   int
	Cursor  string
	After   string
	Offset  int               // items to skip; for Pages: (Page-1)*Limit
	Page    int               // from 1, for Pages
	Sort    string            // canonical field name, one of Op.Sort
	Desc    bool              // default true
	Search  string            // full text
	Filters map[string]string // by canonical name; several values are joined by commas; nil when none is given
}

// Reply is the answer of a handler.
type Reply[O any] struct {
	Body     O
	Status   int              // overrides Op.Status
	Revision *domain.Revision // of the resource, sent as ETag
	Position domain.Position  // of the last event written, sent as Strata-Position
	Header   http.Header      // further headers
	// Spell is given a copy of the body as the mount spells it, without the
	// envelope; Spelled is such a copy, sent in place of Body. Not for lists.
	Spell   func(body []byte)
	Spelled []byte
}

// Respond is a Reply with a body and nothing else.
func Respond[O any](body O) (Reply[O], error) { return Reply[O]{Body: body}, nil }

// List is a page of items. It is rendered per mount: enveloped as data with
// pagination beside it, plain as {count, data, has_more}.
type List[T any] struct {
	Items   []T
	HasMore bool
	Next    string // cursor of the next page, for Cursor
	Total   *int   // of all pages, when it is known
}

// Handler is the function behind an operation.
type Handler[I, O any] func(ctx context.Context, in *I) (Reply[O], error)
