package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"strata/domain/inference"
)

// callMetrics shows model calls to Prometheus.
type callMetrics struct {
	inFlight prometheus.Gauge
	calls    *prometheus.CounterVec
	tokens   *prometheus.CounterVec
	cost     *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	attempts *prometheus.CounterVec
	open     *prometheus.GaugeVec
}

func newCallMetrics(r prometheus.Registerer) *callMetrics {
	m := &callMetrics{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Name: "strata_model_calls_in_flight", Help: "Model calls that run now."}),
		calls:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strata_model_calls_total", Help: "Model calls that ended."}, []string{"provider", "type", "status"}),
		tokens:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strata_model_tokens_total", Help: "Tokens used by model calls."}, []string{"provider", "direction"}),
		cost:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strata_model_cost_usd_total", Help: "Cost of model calls in US dollars."}, []string{"provider"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "strata_model_call_seconds", Help: "Duration of model calls.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2.5, 12)}, []string{"provider", "type"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "strata_provider_requests_total", Help: "Requests to providers, retries included."}, []string{"provider", "outcome"}),
		open:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "strata_provider_breaker_open", Help: "1 while a provider is left alone after failures."}, []string{"provider"}),
	}
	r.MustRegister(m.inFlight, m.calls, m.tokens, m.cost, m.latency, m.attempts, m.open)
	return m
}

// InFlight implements gateway.Metrics.
func (m *callMetrics) InFlight(change int) { m.inFlight.Add(float64(change)) }

// Observe implements gateway.Metrics.
func (m *callMetrics) Observe(c *inference.Recorded) {
	m.calls.WithLabelValues(c.Provider, c.Type, string(c.Status)).Inc()
	m.tokens.WithLabelValues(c.Provider, "input").Add(float64(c.InputTokens))
	m.tokens.WithLabelValues(c.Provider, "output").Add(float64(c.OutputTokens))
	m.cost.WithLabelValues(c.Provider).Add(c.Cost.Dollars())
	m.latency.WithLabelValues(c.Provider, c.Type).Observe(float64(c.LatencyUS) / 1e6)
}

// Attempt implements gateway.Metrics.
func (m *callMetrics) Attempt(provider, outcome string) {
	m.attempts.WithLabelValues(provider, outcome).Inc()
}

// Breaker implements gateway.Metrics.
func (m *callMetrics) Breaker(provider string, open bool) {
	v := 0.0
	if open {
		v = 1
	}
	m.open.WithLabelValues(provider).Set(v)
}
