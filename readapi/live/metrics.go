package live

import "github.com/prometheus/client_golang/prometheus"

// meters are the metrics of live connections; without a registry they count for
// nobody.
type meters struct {
	connections [shapes]prometheus.Gauge
	events      prometheus.Counter
	closed      [endings]prometheus.Counter
}

func newMeters(r prometheus.Registerer) *meters {
	connections := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "strata_live_connections", Help: "Clients that follow events.",
	}, []string{"over"})
	events := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "strata_live_events_total", Help: "Events written to live connections.",
	})
	closed := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "strata_live_closed_total", Help: "Live connections that ended, by why.",
	}, []string{"why"})
	if r != nil {
		r.MustRegister(connections, events, closed)
	}
	m := &meters{events: events}
	for s := range shapes {
		m.connections[s] = connections.WithLabelValues(s.String())
	}
	for e := gone; e < endings; e++ {
		m.closed[e] = closed.WithLabelValues(e.String())
	}
	return m
}

func (m *meters) open(s shape, change float64) { m.connections[s].Add(change) }
func (m *meters) sent()                        { m.events.Inc() }
func (m *meters) close(why ending)             { m.closed[why].Inc() }
