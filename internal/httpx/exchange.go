package httpx

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"strata/domain"
	"strata/internal/ratelimit"
)

// exchange is one request being answered. It is the ResponseWriter that raw
// handlers get, and what the context carries for [From].
type exchange struct {
	Request
	w         http.ResponseWriter
	r         *http.Request
	ctx       context.Context
	own       requestContext // what ctx is at first
	handling  limited        // the handler's context, unless it streams
	table     *table
	op        *operation
	params    []string // values of the path's parameters
	query     url.Values
	limitUsed int  // page size of a list
	asked     bool // the client named a MinPosition
	span      trace.Span
	start     time.Time

	values [7]string // of headers, see only
	told   int       // how many of them

	status   int
	bytes    int64
	wrote    bool
	hijacked bool
	written  atomic.Uint64 // position of what the handler wrote, see Wrote
	replied  uint64        // position that the answer names
	err      error
}

// ServeHTTP implements http.Handler.
func (t *table) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{w: w, r: r, table: t, start: t.opts.Now()}
	x.own = requestContext{r.Context(), x}
	x.ctx = &x.own
	x.ID = requestID(sent(r.Header, HeaderRequestID))
	x.CorrelationID = x.ID
	if id := sent(r.Header, HeaderCorrelationID); id != "" {
		x.CorrelationID = requestID(id)
	}
	w.Header()[HeaderRequestID] = x.only(x.ID)

	m := t.mountOf(r.URL.Path)
	if m == nil {
		x.Mount = V1
		defer x.finish()
		t.serveExtra(x)
		return
	}
	x.Mount = m.mount
	var allowed []string
	x.op, x.params, allowed = m.match(r)
	if x.op != nil {
		x.Mount, x.Operation = x.op.Mount, x.op.ID
	}
	defer x.finish()
	t.meters.begin()
	t.tracer.begin(x)
	if t.cors.apply(x, m) {
		return
	}
	switch {
	case x.op != nil:
		if err := x.serve(); err != nil {
			x.fail(err)
		}
	default:
		x.fail(x.missed(allowed))
	}
}

// missed is the error for a request without an operation; allowed are the
// methods that its path has.
func (x *exchange) missed(allowed []string) error {
	if err := x.limit("ip:"+x.table.opts.Proxies.Client(x.r), "", ratelimit.Anonymous); err != nil {
		return err
	}
	if len(allowed) == 0 {
		return domain.Errorf(domain.CodeNotFound, "there is nothing at %s", x.r.URL.Path)
	}
	methods := strings.Join(allowed, ", ")
	x.Header().Set("Allow", methods)
	return domain.Errorf(domain.CodeMethodNotAllowed, "%s is not allowed here, only %s", x.r.Method, methods)
}

// serveExtra answers what lies outside of the mounts.
func (t *table) serveExtra(x *exchange) {
	t.meters.begin()
	for _, e := range t.extra {
		rest, ok := strings.CutPrefix(x.r.URL.Path, e.prefix)
		if ok && (rest == "" || rest[0] == '/') {
			e.handler.ServeHTTP(x, x.r.WithContext(x.ctx))
			return
		}
	}
	x.fail(domain.Errorf(domain.CodeNotFound, "there is nothing at %s", x.r.URL.Path))
}

// serve takes a request through the steps that the operation asks for.
func (x *exchange) serve() error {
	if serves := x.table.opts.Serves; serves != nil && !serves(x.op.room) {
		return domain.Errorf(domain.CodeUnavailable, "this node does not serve %s operations; ask the installation's edge, or a node that does", x.op.room)
	}
	if err := x.awaitCallers(); err != nil {
		return err
	}
	if err := x.authenticate(); err != nil {
		return err
	}
	if x.op.raw == nil {
		return x.op.run(x)
	}
	if err := x.op.in.bindRaw(x); err != nil {
		return err
	}
	if err := x.await(); err != nil {
		return err
	}
	ctx := x.handlerContext()
	defer x.handling.end()
	r := x.r.WithContext(ctx)
	for i, name := range x.op.params {
		r.SetPathValue(name, x.params[i])
	}
	var err error
	if x.op.Streaming {
		x.op.raw.ServeHTTP(x, r)
	} else {
		err = compressing(x, r, x.op.raw)
	}
	if x.wrote && !x.hijacked {
		x.tellPosition(http.TrailerPrefix + HeaderPosition)
	}
	return err
}

// receive fills in the input of a handler, waits for the position that a read
// asks for, and returns the handler's context; x.handling has to be ended.
func (x *exchange) receive(in reflect.Value) (context.Context, error) {
	if err := x.op.in.bind(x, in); err != nil {
		return nil, err
	}
	if err := x.await(); err != nil {
		return nil, err
	}
	return x.handlerContext(), nil
}

// handlerContext ends with the operation's timeout; streams have none.
func (x *exchange) handlerContext() context.Context {
	if x.op.Streaming {
		return x.ctx
	}
	x.handling.begin(x.ctx, x, x.op.Timeout)
	return &x.handling
}

// authenticate finds the principal, takes its token from the rate limiter and
// checks the permission. Callers without a valid credential share the bucket of
// their address.
func (x *exchange) authenticate() error {
	if x.op.Public {
		return x.limit("ip:"+x.table.opts.Proxies.Client(x.r), "", ratelimit.Anonymous)
	}
	var err error = errNoToken
	if token := bearer(x.r, x.op.Streaming); token != "" && x.table.opts.Auth != nil {
		x.Principal, err = x.table.opts.Auth.Authenticate(x.ctx, token)
	}
	if err != nil {
		if refused := x.limit("ip:"+x.table.opts.Proxies.Client(x.r), "", ratelimit.Anonymous); refused != nil {
			return refused
		}
		return err
	}
	p := &x.Principal
	if err := x.limit(x.caller(), p.Workspace, p.Tier); err != nil {
		return err
	}
	if x.op.Permission != "" && !p.Can(x.op.Permission) {
		return domain.Errorf(domain.CodeForbidden, "the permission %q is missing", x.op.Permission)
	}
	if runs := x.table.opts.Runs; x.op.Installation && (runs == nil || !runs(p)) {
		return domain.Errorf(domain.CodeForbidden, "this is for those who run the installation")
	}
	return nil
}

var errNoToken = domain.Errorf(domain.CodeUnauthorized, "a valid bearer token is required")

// limit takes a token and sets the X-RateLimit headers; without a token left
// it returns the error to answer with.
func (x *exchange) limit(key, workspace, tier string) error {
	if x.table.opts.Limiter == nil {
		return nil
	}
	d := x.table.opts.Limiter.Take(key, workspace, tier)
	h := x.w.Header()
	// One string holds all three values: this is on every request.
	digits := strconv.AppendInt(make([]byte, 0, 64), int64(d.Limit), 10)
	a := len(digits)
	digits = strconv.AppendInt(digits, int64(d.Remaining), 10)
	b := len(digits)
	text := string(strconv.AppendInt(digits, d.Reset.Unix(), 10))
	h["X-Ratelimit-Limit"], h["X-Ratelimit-Remaining"], h["X-Ratelimit-Reset"] = x.only(text[:a]), x.only(text[a:b]), x.only(text[b:])
	if !d.OK {
		return domain.Errorf(domain.CodeRateLimited, "too many requests").With("retry_after", max(d.RetryAfter, time.Second))
	}
	return nil
}

// caller is whose requests count together: a key's, else an actor's.
func (x *exchange) caller() string { return cmp.Or(x.Principal.KeyID, x.Principal.Actor) }

// note remembers a write of the caller, for their next reads.
func (x *exchange) note(p domain.Position) {
	if caller := x.caller(); caller != "" && x.op.Reads == "" {
		x.table.recent.wrote(caller, p)
	}
}

// await holds a read back until the projection has reached the position that
// the client asked for, or else the caller's last write through this process;
// when it does not in time, the answer tells the lag.
func (x *exchange) await() error {
	o := x.table.opts
	if x.op.Reads == "" {
		return x.awaitRelied()
	}
	if o.Waiter == nil {
		return nil
	}
	position, patience := x.MinPosition, o.WaitFor
	if !x.asked {
		position, patience = x.table.recent.last(x.caller()), min(stickyWait, o.WaitFor)
	}
	if position == 0 {
		return nil
	}
	var waiting limited
	waiting.begin(x.ctx, x, patience)
	defer waiting.end()
	lag, err := o.Waiter.Wait(&waiting, x.op.Reads, position)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if lag > 0 {
		x.w.Header().Set(HeaderLag, strconv.FormatUint(lag, 10))
	}
	return nil
}

// awaitRelied holds an operation back until this process knows what another one
// has written for the caller, as far as operations act on it.
func (x *exchange) awaitRelied() error {
	o := x.table.opts
	if len(o.Relies) == 0 || o.Waiter == nil || x.MinPosition == 0 {
		return nil
	}
	return x.awaitAll(o.Relies, x.MinPosition)
}

// awaitCallers holds a request that names a position back until this process knows
// who could call at that position. What is wrong with the position is said later.
func (x *exchange) awaitCallers() error {
	o := x.table.opts
	if o.Callers == "" || o.Waiter == nil || x.op.Public {
		return nil
	}
	raw, _ := x.minPosition()
	position, err := strconv.ParseUint(raw, 10, 64)
	if err != nil || position == 0 {
		return nil
	}
	return x.awaitAll([]string{o.Callers}, domain.Position(position))
}

// awaitAll waits for projections, at most as long as a read waits for one.
func (x *exchange) awaitAll(projections []string, position domain.Position) error {
	ctx, cancel := context.WithTimeout(x.ctx, x.table.opts.WaitFor)
	defer cancel()
	for _, projection := range projections {
		if _, err := x.table.opts.Waiter.Wait(ctx, projection, position); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return nil
}

// finish recovers from panics, logs and counts.
func (x *exchange) finish() {
	if p := recover(); p != nil {
		if p == http.ErrAbortHandler { // net/http's own way to cut a connection
			x.observe()
			panic(p)
		}
		half := x.wrote && !x.hijacked
		x.fail(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
		if half { // half an answer must not look like a whole one
			x.observe()
			panic(http.ErrAbortHandler)
		}
	}
	x.observe()
}

// passing tells whether a request was put off for a moment, with the time to wait:
// that belongs to starting and catching up, and is nobody's fault.
func (x *exchange) passing() bool {
	e, ok := errors.AsType[*domain.Error](x.err)
	return ok && e.Code == domain.CodeUnavailable && e.Params["retry_after"] != nil
}

func (x *exchange) observe() {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	elapsed := x.table.opts.Now().Sub(x.start)
	x.table.meters.end(x, elapsed)
	x.table.tracer.end(x)
	level := x.table.opts.AccessLevel
	switch {
	case x.passing():
		level = max(level, slog.LevelInfo)
	case x.status >= http.StatusInternalServerError:
		level = max(level, slog.LevelError)
	}
	log := x.table.opts.Logger
	if !log.Enabled(x.ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, 10)
	attrs = append(attrs,
		slog.String("method", x.r.Method), slog.String("path", x.r.URL.Path), slog.Int("status", x.status),
		slog.Duration("took", elapsed), slog.Int64("bytes", x.bytes), slog.String("request_id", x.ID))
	if x.Operation != "" {
		attrs = append(attrs, slog.String("operation", x.Operation))
	}
	if x.Principal.Actor != "" {
		attrs = append(attrs, slog.String("actor", x.Principal.Actor), slog.String("workspace", x.Principal.Workspace))
	}
	if x.err != nil {
		attrs = append(attrs, slog.String("error", x.err.Error()))
	}
	log.LogAttrs(x.ctx, level, "request", attrs...)
}

// queryValues parses the query once.
func (x *exchange) queryValues() url.Values {
	if x.query == nil {
		x.query = x.r.URL.Query()
	}
	return x.query
}

// Header implements http.ResponseWriter.
func (x *exchange) Header() http.Header { return x.w.Header() }

// WriteHeader implements http.ResponseWriter.
func (x *exchange) WriteHeader(status int) {
	if x.wrote {
		return
	}
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols { // not for 1xx, which precede the answer
		x.wrote, x.status = true, status
		x.tellPosition(HeaderPosition)
	}
	x.w.WriteHeader(status)
}

// only is a header's one value. The answers' usual headers share one array.
func (x *exchange) only(value string) []string {
	if x.told == len(x.values) {
		return []string{value}
	}
	at := x.told
	x.told++
	x.values[at] = value
	return x.values[at:x.told:x.told]
}

// tellPosition says how far the log has to be read to see what a handler wrote
// that told so by [Wrote]: in a header, or in a trailer when the answer had begun.
// The clients' SDKs and the edge of a cluster send it back with what they read.
func (x *exchange) tellPosition(name string) {
	// The answer may have told of a later write than the handler did on its way.
	if p := x.written.Load(); p > 0 && p > x.replied {
		x.w.Header()[name] = x.only(strconv.FormatUint(p, 10))
	}
}

// Write implements http.ResponseWriter.
func (x *exchange) Write(b []byte) (int, error) {
	if !x.wrote {
		x.WriteHeader(http.StatusOK)
	}
	n, err := x.w.Write(b)
	x.bytes += int64(n)
	return n, err
}

// Flush implements http.Flusher.
func (x *exchange) Flush() {
	if !x.wrote {
		x.WriteHeader(http.StatusOK)
	}
	if f, ok := x.w.(http.Flusher); ok {
		f.Flush()
	}
}

// Hijack implements http.Hijacker, for websockets.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err == nil {
		x.hijacked, x.status = true, http.StatusSwitchingProtocols
	}
	return conn, rw, err
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.w }
