package edge

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Why a node failed a request.
const (
	unreachable = "unreachable" // no connection could be made
	lost        = "lost"        // it went away before it had answered
	silent      = "silent"      // it was given up, because its health checks got no answer
	unavailable = "unavailable" // it answered 503, and another was asked
)

// Why a request was refused by the edge itself.
const (
	noNode         = "no_node"
	unknownOutcome = "unknown_outcome"
)

// gone stands in the place of a status for callers that did not wait for an answer.
const gone = "gone"

// meters are the edge's metrics. Rooms are called so because Prometheus' own label
// `role` says what kind of process tells.
type meters struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
	refused  *prometheus.CounterVec
	failures *prometheus.CounterVec
	retries  *prometheus.CounterVec
}

func newMeters() *meters {
	m := &meters{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_edge_requests_total", Help: "Requests by the room of nodes that serves them and the class of the answer's status; gone: the caller did not wait for it.",
		}, []string{"room", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "strata_edge_request_duration_seconds", Help: "Time until the last byte of the answer was passed on, for streams and websockets until their end.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10, 60},
		}, []string{"room"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "strata_edge_requests_in_flight", Help: "Requests on their way, streams and websockets included."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_edge_refused_total", Help: "Requests that the edge refused itself: no node answered, or one went away and what it did is not known.",
		}, []string{"why"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_edge_node_failures_total", Help: "Tries that a node failed: unreachable, lost on the way, silent, or unavailable (503) so that another was asked.",
		}, []string{"node", "why"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "strata_edge_retries_total", Help: "Tries at another node, after one had failed.",
		}, []string{"room"}),
	}
	for _, why := range []string{noNode, unknownOutcome} {
		m.refused.WithLabelValues(why) // so that the first one is an increase
	}
	for _, room := range []string{Write, Read, Admin} {
		m.retries.WithLabelValues(room)
	}
	return m
}

// register shows the metrics, and how every node is thought to be.
func (e *Edge) register(r prometheus.Registerer) {
	m := e.meters
	for _, n := range e.nodes {
		for _, why := range []string{unreachable, lost, silent, unavailable} {
			m.failures.WithLabelValues(n.url.Host, why)
		}
	}
	if r == nil {
		return
	}
	r.MustRegister(m.requests, m.duration, m.inFlight, m.refused, m.failures, m.retries)
	for _, room := range []struct{ key, name string }{{Write, Write}, {Read, Read}, {"", "other"}} {
		for _, n := range e.rooms[room.key] {
			r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "strata_edge_node_up", Help: "1 while a node answers that it is ready.",
				ConstLabels: prometheus.Labels{"node": n.url.Host, "room": room.name},
			}, func() float64 {
				if n.healthy.Load() {
					return 1
				}
				return 0
			}))
		}
	}
}

// ended counts a request.
func (m *meters) ended(ctx context.Context, r *route, took time.Duration) {
	m.inFlight.Dec()
	m.duration.WithLabelValues(r.room).Observe(took.Seconds())
	status := gone
	switch {
	case r.refused != nil && ctx.Err() == nil:
		why := noNode
		if errors.Is(r.refused, ErrUnknownOutcome) {
			why = unknownOutcome
		}
		m.refused.WithLabelValues(why).Inc()
		status = class(http.StatusServiceUnavailable)
	case r.refused == nil && r.status > 0:
		status = class(r.status)
	}
	m.requests.WithLabelValues(r.room, status).Inc()
}

func class(status int) string { return strconv.Itoa(status/100) + "xx" }

// failed counts a try that a node failed with an error.
func (m *meters) failed(n *node, err error) {
	why := lost
	switch {
	case unsent(err):
		why = unreachable
	case errors.Is(err, context.Canceled):
		why = silent // the caller still waits
	}
	m.failures.WithLabelValues(n.url.Host, why).Inc()
}
