package relay

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics shows a relay to Prometheus.
type metrics struct {
	published *prometheus.CounterVec
	failures  prometheus.Counter
	latency   prometheus.Histogram
}

// scrapeTime bounds what one look at the relay may take.
const scrapeTime = 5 * time.Second

func newMetrics(to prometheus.Registerer, r *Relay) (*metrics, error) {
	m := &metrics{
		published: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strata_relay_published_total", Help: "Events whose publishing was acknowledged."}, []string{"topic"}),
		failures:  prometheus.NewCounter(prometheus.CounterOpts{Name: "strata_relay_failures_total", Help: "Tries to read or publish events that failed; each is tried again."}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "strata_relay_latency_seconds", Help: "From an event's append to the acknowledgement of its publishing.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 14)}),
	}
	if to == nil {
		return m, nil
	}
	to = prometheus.WrapRegistererWith(prometheus.Labels{"relay": r.cfg.Name}, to)
	gauge := func(name, help string, of func(Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "strata_relay_" + name, Help: help}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
			defer cancel()
			s, err := r.Status(ctx)
			if err != nil {
				return -1
			}
			return of(s)
		})
	}
	truth := func(v bool) float64 {
		if v {
			return 1
		}
		return 0
	}
	for _, c := range []prometheus.Collector{m.published, m.failures, m.latency,
		gauge("active", "1 while this process publishes, 0 while another does; -1: not known.", func(s Status) float64 { return truth(s.Active) }),
		gauge("lag", "Positions behind the end of the log; 0 while another process publishes; -1: not known.", func(s Status) float64 { return float64(s.Lag) }),
		gauge("position", "Log position up to which everything is published.", func(s Status) float64 { return float64(s.Position) }),
		gauge("failing", "1 while reading or publishing fails and is tried again.", func(s Status) float64 { return truth(s.Error != "") }),
	} {
		if err := to.Register(c); err != nil {
			return nil, fmt.Errorf("relay: metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) acknowledged(events []outgoing, now time.Time) {
	for _, e := range events {
		m.published.WithLabelValues(e.topic).Inc()
		m.latency.Observe(now.Sub(e.logged).Seconds())
	}
}
