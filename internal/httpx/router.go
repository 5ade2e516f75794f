package httpx

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"strata/domain"
	"strata/internal/addresses"
	"strata/internal/ratelimit"
)

// Authenticator tells who a bearer token belongs to. A token that is not valid
// is domain.ErrUnauthorized (or another *domain.Error of that code).
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (domain.Principal, error)
}

// Waiter waits until a projection has reached a position or ctx ends, and
// returns how many positions it is still behind.
type Waiter interface {
	Wait(ctx context.Context, projection string, position domain.Position) (lag uint64, err error)
}

// Options are what a Router works with. Auth is required for operations that
// are not public; everything else has a default.
type Options struct {
	BaseURL     string // where clients reach the server, without a trailing slash; for the OpenAPI document
	Title       string // of the API; default "Strata"
	Version     string // of the product; default "dev"
	Description string // of the API, in Markdown

	Auth    Authenticator
	Runs    func(*domain.Principal) bool // who runs the installation; nil: nobody, see Op.Installation
	Waiter  Waiter                       // nil: answers do not wait for positions
	Limiter *ratelimit.Limiter           // nil: no rate limits
	// Relies are the projections that operations which answer from none act on,
	// because other processes write, too: who may call, which budgets there are.
	// They are waited for when a request names a position.
	Relies []string
	// Callers is the projection that says who may do what, where other processes
	// write it; "" where none does. It is waited for before a request that names a
	// position is let in: a key may have been made, or revoked, just before.
	Callers string
	// Serves tells whether this process answers the operations of a room; nil: all
	// of them. The others are in the document and are refused, see [Router.Room].
	Serves func(room string) bool

	Logger      *slog.Logger          // default: discards
	AccessLevel slog.Level            // of the access log for answers below 500; those above are errors
	Metrics     prometheus.Registerer // nil: no metrics
	Tracing     trace.TracerProvider  // nil: no traces

	// Proxies are in front and tell truly where a request came from; see
	// [addresses.Ranges.Client]. Callers without a valid credential are limited by that.
	Proxies addresses.Ranges

	Origins []string      // allowed cross origins beside localhost; "*" allows any
	MaxBody int64         // bytes of a request body; default 10 MiB
	Timeout time.Duration // of a handler; default 30 s
	WaitFor time.Duration // for a projection to reach a position; default 2 s
	Now     func() time.Time
}

func (o *Options) setDefaults() {
	o.Title = cmp.Or(o.Title, "Strata")
	o.Version = cmp.Or(o.Version, "dev")
	o.BaseURL = strings.TrimRight(cmp.Or(o.BaseURL, "http://localhost:8000"), "/")
	o.MaxBody = cmp.Or(o.MaxBody, 10<<20)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.WaitFor = cmp.Or(o.WaitFor, 2*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// Router collects operations and serves them. Register everything, then use it
// as an http.Handler; the first request (or [Router.Freeze]) closes the
// registration. Faults of a registration are mistakes in the program, found at
// start, and panic as those of http.ServeMux do.
type Router struct {
	opts   Options
	shapes shapes
	ops    []*operation
	ids    map[string]*operation
	extra  []extraHandler
	room   string // of what is registered now

	freeze sync.Once
	table  *table

	document sync.Once
	spec     *Spec
	specErr  error
}

// operation is a registered Op with all that can be known before a request.
type operation struct {
	Op
	room   string   // see Router.Room
	full   string   // path with the mount's prefix, as registered
	params []string // names of the path's parameters, in order
	in     *inputPlan
	out    *outputPlan
	run    func(*exchange) error // nil for raw operations
	raw    http.Handler
	upload *UploadOp // of operations that take files
	meters *opMeters
}

type extraHandler struct {
	prefix  string
	handler http.Handler
}

// New returns an empty Router.
func New(o Options) *Router {
	o.setDefaults()
	return &Router{opts: o, shapes: shapes{}, ids: map[string]*operation{}}
}

// Room says to which room what is registered from now on belongs: "write",
// "read". Processes of one installation may divide the rooms among them; all
// register everything, so that each has the whole document.
func (r *Router) Room(name string) { r.room = name }

// Register adds an operation. I is a struct as the package comment tells; O is
// any type with a JSON form, List[T] for pages, or json.RawMessage with
// Op.Result telling its type.
func Register[I, O any](r *Router, op Op, h func(ctx context.Context, in *I) (Reply[O], error)) {
	o := r.add(op)
	o.in = r.planInput(o, reflect.TypeFor[I]())
	o.out = r.planOutput(o, reflect.TypeFor[O]())
	o.run = func(x *exchange) error {
		in := new(I)
		ctx, err := x.receive(reflect.ValueOf(in).Elem())
		if err != nil {
			return err
		}
		defer x.handling.end()
		reply, err := h(ctx, in)
		if err != nil {
			return err
		}
		return respond(x, &reply)
	}
}

// Raw adds an operation that reads and writes by itself: SSE, websockets,
// OpenAI's wire format, files. Authentication, permission, rate limits and the
// document are as for any other; path parameters come by r.PathValue, the rest
// by [From], and errors go out through [WriteError].
func (r *Router) Raw(op Op, h http.Handler) {
	o := r.add(op)
	o.in = r.planInput(o, reflect.TypeFor[struct{}]())
	o.raw = h
}

// Handle serves everything below a path prefix with a handler of its own,
// outside of the mounts: health, metrics, the console. It is neither
// authenticated nor rate limited.
func (r *Router) Handle(prefix string, h http.Handler) {
	r.extra = append(r.extra, extraHandler{strings.TrimRight(prefix, "/"), h})
}

func (r *Router) add(op Op) *operation {
	if r.table != nil {
		panic("httpx: " + op.ID + " is registered after the router was frozen")
	}
	if op.Source == "" {
		op.Source = caller()
	}
	if op.ID == "" || op.Mount == nil || op.Method == "" || !strings.HasPrefix(op.Path, "/") {
		panic(fmt.Sprintf("httpx: %s: an operation needs ID, Method, Mount and a Path that begins with a slash (has %q %s %q)",
			op.Source, op.ID, op.Method, op.Path))
	}
	if other := r.ids[op.ID]; other != nil {
		panic(fmt.Sprintf("httpx: operation id %q is used at %s and %s", op.ID, other.Source, op.Source))
	}
	if op.NoBody {
		op.Status = http.StatusNoContent
	}
	op.Status = cmp.Or(op.Status, http.StatusOK)
	op.MaxBody = cmp.Or(op.MaxBody, r.opts.MaxBody)
	op.Timeout = cmp.Or(op.Timeout, r.opts.Timeout)
	op.PageDefault = cmp.Or(op.PageDefault, op.Paging.defaultSize())
	op.PageMax = cmp.Or(op.PageMax, 100)
	if op.BodyView == AutoView {
		op.BodyView = Create
		if op.Method == http.MethodPut || op.Method == http.MethodPatch {
			op.BodyView = Update
		}
	}
	if op.ResultView == AutoView {
		op.ResultView = Output
	}
	o := &operation{Op: op, room: r.room, full: op.Mount.Prefix + op.Path, params: pathParams(op.Path)}
	r.ids[op.ID] = o
	r.ops = append(r.ops, o)
	return o
}

// caller is the file and line outside of this package that registered an
// operation, relative to the module.
func caller() string {
	_, self, _, _ := runtime.Caller(0)
	root := strings.TrimSuffix(self, "internal/httpx/router.go")
	for skip := 2; ; skip++ {
		_, file, line, ok := runtime.Caller(skip)
		if !ok {
			return "unknown"
		}
		relative := strings.TrimPrefix(file, root)
		if strings.HasPrefix(relative, "internal/httpx/") && !strings.HasSuffix(relative, "_test.go") {
			continue
		}
		return relative + ":" + strconv.Itoa(line)
	}
}

// Route is a line of the table of routes.
type Route struct {
	Method, Path, Operation, Permission, Source, Room string
	Streaming                                         bool
}

// Routes lists the operations by path and method. Permission is "public" for
// public operations and "-" where any credential will do.
func (r *Router) Routes() []Route {
	out := make([]Route, 0, len(r.ops))
	for _, o := range r.ops {
		out = append(out, o.route())
	}
	slices.SortFunc(out, func(a, b Route) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Method, b.Method))
	})
	return out
}

// route is the operation's line in the table.
func (o *operation) route() Route {
	permission := cmp.Or(o.Permission, "-")
	if o.Public {
		permission = "public"
	}
	return Route{Method: o.Method, Path: o.full, Operation: o.ID, Permission: permission, Source: o.Source, Room: o.room, Streaming: o.Streaming}
}

// Find returns the operation that a request asks for; false when there is none.
func (r *Router) Find(req *http.Request) (Route, bool) {
	r.Freeze()
	m := r.table.mountOf(req.URL.Path)
	if m == nil {
		return Route{}, false
	}
	op, _, _ := m.match(req)
	if op == nil {
		return Route{}, false
	}
	return op.route(), true
}
