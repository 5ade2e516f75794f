package readapi

import (
	"cmp"
	"context"
	"net/http"
	"reflect"

	"strata/domain"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/history"
)

// resource is a thing with an address, as it is and as it was. S is the state
// that its stream folds to, V what is shown of it.
type resource[S, V any] struct {
	op  httpx.Op // of GET by id
	now func(ctx context.Context) (httpx.Reply[V], error)

	// stream, if it is told, is the stream that the path names; false means that
	// the answer depends on more than that stream.
	stream func(ctx context.Context) (domain.StreamID, bool)

	agg   *domain.Aggregate[S]
	param string // of the path: names the resource
	// key is the stream's key where the path does not say it.
	key func(ctx context.Context) (string, error)
	// mine tells whether the caller may see a resource; when nil, those of its
	// workspace.
	mine func(ctx context.Context, m *history.Moment[S]) bool
	// alive tells whether the resource was there at a moment.
	alive func(m *history.Moment[S]) bool
	show  func(m *history.Moment[S]) (V, error)
	// grown are fields of a view that list what happened lately. They would make
	// every difference long and are left out of it.
	grown []string
	// added says what a revision brought that no view shows or that is grown.
	added func(m *history.Moment[S]) []addition
}

// addition is an item for a list that grows, or a secret that was set.
type addition struct {
	list   string // field that item, in canonical form, is added to
	item   any
	secret string // field that holds the secret
	op     string // what happened to it
}

type atInput struct {
	At string `query:"at" doc:"Show it as it was: at a revision (0, 1, 2 …; ETag names the current one) or at a time (RFC 3339)." example:"0"`
}

type diffInput struct {
	From string `query:"from" doc:"Revision or RFC 3339 time; the revision before the second when absent." example:"0"`
	To   string `query:"to" doc:"Revision or RFC 3339 time; the current revision when absent." example:"1"`
}

// serve registers GET of a resource together with its past: ?at=, …/history and
// …/diff. Whoever may get a resource may look into its past.
func serve[S, V any](a *API, s resource[S, V]) {
	if s.mine == nil {
		s.mine = func(ctx context.Context, m *history.Moment[S]) bool {
			_, ws := tenant(ctx)
			return m.First.Workspace == ws
		}
	}
	t := s.op.Result
	if t == nil {
		t = reflect.TypeFor[V]()
	}
	on := func(m *httpx.Mount) *past[S, V] {
		return &past[S, V]{resource: s, reader: a.History, mount: m, spell: a.r.Speller(t, m), speller: a.r.Speller}
	}
	p := on(s.op.Mount)
	a.changes[s.agg.Category] = on(httpx.API).changesAt
	get := s.op
	get.Method = http.MethodGet
	if s.stream != nil {
		s.now = remember(a.Answers, get, s.agg.Category, s.stream, s.now)
	}
	httpx.Register(a.r, get, func(ctx context.Context, in *atInput) (httpx.Reply[V], error) {
		if in.At == "" {
			return s.now(ctx)
		}
		return p.at(ctx, in.At)
	})
	list := get
	list.ID, list.Path, list.Summary = get.ID+"History", get.Path+"/history", get.Summary+": history"
	list.Description = "Every revision, the latest first: who, when, and what changed."
	list.Result, list.ResultExample, list.Sort = nil, nil, []string{"revision"}
	list.Paging = httpx.Cursor
	if get.Mount == httpx.V1 {
		list.Paging = httpx.After
	}
	httpx.Register(a.r, list, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.HistoryEntry]], error) {
		return p.list(ctx, in.ListParams)
	})
	diff := list
	diff.ID, diff.Path, diff.Summary = get.ID+"Diff", get.Path+"/diff", get.Summary+": difference"
	diff.Description = "What changed between two moments, each a revision or a time."
	diff.Paging, diff.Sort = httpx.NoPaging, nil
	httpx.Register(a.r, diff, p.diff)
}

// past answers about a resource's history on one mount.
type past[S, V any] struct {
	resource[S, V]
	reader  *history.Reader
	mount   *httpx.Mount                           // that names are spelled for
	spell   func(canonical []byte) ([]byte, error) // of V
	speller func(reflect.Type, *httpx.Mount) func([]byte) ([]byte, error)
}

// open finds what the request's path names, and its last revision, when it is
// the caller's to see.
func (p *past[S, V]) open(ctx context.Context) (history.Subject[S], domain.Revision, error) {
	s := history.Subject[S]{Aggregate: p.agg, Name: httpx.PathValue(ctx, p.param)}
	s.Key = s.Name
	var err error
	if p.key != nil {
		if s.Key, err = p.key(ctx); err != nil {
			return s, 0, err
		}
	}
	last, err := history.Latest(ctx, p.reader, s)
	if err != nil {
		return s, 0, err
	}
	first, err := history.At(ctx, p.reader, s, "", history.Point{})
	if err == nil && !p.mine(ctx, first) {
		err = p.missing(&s)
	}
	return s, last, err
}

func (p *past[S, V]) missing(s *history.Subject[S]) error {
	return domain.NotFound(p.agg.Noun, cmp.Or(s.Name, s.Key))
}

// at shows the resource at a point of its past.
func (p *past[S, V]) at(ctx context.Context, at string) (httpx.Reply[V], error) {
	var none httpx.Reply[V]
	point, err := history.ParsePoint("at", at)
	if err != nil {
		return none, err
	}
	s, _, err := p.open(ctx)
	if err != nil {
		return none, err
	}
	m, err := history.At(ctx, p.reader, s, "at", point)
	if err != nil {
		return none, err
	}
	if !p.alive(m) {
		return none, p.missing(&s)
	}
	body, err := p.show(m)
	return httpx.Reply[V]{Body: body, Revision: &m.Event.Revision}, err
}
