package httpx

import (
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// meters are the Prometheus metrics of the HTTP layer. A nil *meters counts
// nothing.
type meters struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	unrouted *opMeters
}

// opMeters are the metrics of one operation. They come into being with its
// first request, so that operations nobody uses do not fill the page of metrics.
type opMeters struct {
	meters        *meters
	method, route string
	duration      atomic.Pointer[prometheus.Observer]
	statuses      atomic.Pointer[[]statusCounter]
}

type statusCounter struct {
	status  int
	counter prometheus.Counter
}

func newMeters(r prometheus.Registerer) *meters {
	if r == nil {
		return nil
	}
	m := &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_http_requests_total", Help: "Answered requests by method, route and status.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "strata_http_request_duration_seconds", Help: "Time from the first byte of a request to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"method", "route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "strata_http_requests_in_flight", Help: "Requests being answered.",
		}),
	}
	r.MustRegister(m.requests, m.duration, m.inFlight)
	m.unrouted = m.route("", "unrouted")
	return m
}

func (m *meters) route(method, route string) *opMeters {
	return &opMeters{meters: m, method: method, route: route}
}

func (m *meters) of(o *operation) *opMeters {
	if m == nil {
		return nil
	}
	return m.route(o.Method, o.full)
}

func (m *meters) begin() {
	if m != nil {
		m.inFlight.Inc()
	}
}

func (m *meters) end(x *exchange, elapsed time.Duration) {
	if m == nil {
		return
	}
	m.inFlight.Dec()
	o := m.unrouted
	if x.op != nil {
		o = x.op.meters
	}
	o.observer().Observe(elapsed.Seconds())
	o.counter(x.status).Inc()
}

func (o *opMeters) observer() prometheus.Observer {
	if known := o.duration.Load(); known != nil {
		return *known
	}
	made := o.meters.duration.WithLabelValues(o.method, o.route)
	o.duration.Store(&made)
	return made
}

// counter finds the counter of a status; an operation has few. Two requests
// may add at once and one lose: it is then looked up again.
func (o *opMeters) counter(status int) prometheus.Counter {
	var known []statusCounter
	if p := o.statuses.Load(); p != nil {
		known = *p
	}
	for _, c := range known {
		if c.status == status {
			return c.counter
		}
	}
	made := o.meters.requests.WithLabelValues(o.method, o.route, strconv.Itoa(status))
	more := append(slices.Clone(known), statusCounter{status, made})
	o.statuses.Store(&more)
	return made
}

// tracing makes a span per request. A nil *tracing makes none.
type tracing struct {
	tracer trace.Tracer
	format propagation.TraceContext
}

func newTracing(p trace.TracerProvider) *tracing {
	if p == nil {
		return nil
	}
	return &tracing{tracer: p.Tracer("strata/internal/httpx")}
}

func (t *tracing) begin(x *exchange) {
	if t == nil {
		return
	}
	name := x.r.Method
	if x.op != nil {
		name += " " + x.op.full
	}
	parent := t.format.Extract(x.ctx, propagation.HeaderCarrier(x.r.Header))
	x.ctx, x.span = t.tracer.Start(parent, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", x.r.Method),
		attribute.String("url.path", x.r.URL.Path),
		attribute.String("strata.request_id", x.ID),
	))
	if x.op != nil {
		x.span.SetAttributes(attribute.String("http.route", x.op.full), attribute.String("strata.operation", x.op.ID))
	}
}

func (t *tracing) end(x *exchange) {
	if t == nil || x.span == nil {
		return
	}
	x.span.SetAttributes(attribute.Int("http.response.status_code", x.status))
	if x.err != nil {
		x.span.RecordError(x.err)
	}
	if x.status >= http.StatusInternalServerError {
		x.span.SetStatus(codes.Error, http.StatusText(x.status))
	}
	x.span.End()
}
