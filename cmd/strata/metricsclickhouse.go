package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"strata/internal/clickhouse"
)

// engineMetrics shows ClickHouse and what is written to it to Prometheus.
type engineMetrics struct {
	db   *clickhouse.DB
	duty *onDuty

	ready, restarts, position, waiting, failing *prometheus.Desc
}

func newEngineMetrics(db *clickhouse.DB, duty *onDuty) *engineMetrics {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("strata_clickhouse_"+name, help, nil, nil)
	}
	return &engineMetrics{
		db: db, duty: duty,
		ready:    desc("ready", "1 while the ClickHouse engine or server answers."),
		restarts: desc("losses_total", "How often the ClickHouse engine or server was lost since the start."),
		position: desc("writer_position", "Log position up to which model calls are in the tables; only where the writer runs."),
		waiting:  desc("writer_waiting", "Events taken from the log and not written yet; only where the writer runs."),
		failing:  desc("writer_failing", "1 while writing to the tables does not succeed; only where the writer runs."),
	}
}

// Describe implements prometheus.Collector.
func (m *engineMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.ready, m.restarts, m.position, m.waiting, m.failing} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (m *engineMetrics) Collect(to chan<- prometheus.Metric) {
	truth := map[bool]float64{true: 1}
	status := m.db.Status()
	to <- prometheus.MustNewConstMetric(m.ready, prometheus.GaugeValue, truth[status.State == clickhouse.Ready])
	to <- prometheus.MustNewConstMetric(m.restarts, prometheus.CounterValue, float64(status.Restarts))
	d := m.duty.now.Load()
	if d == nil {
		return
	}
	w := d.writer.Status()
	to <- prometheus.MustNewConstMetric(m.position, prometheus.GaugeValue, float64(w.Position))
	to <- prometheus.MustNewConstMetric(m.waiting, prometheus.GaugeValue, float64(w.Waiting))
	to <- prometheus.MustNewConstMetric(m.failing, prometheus.GaugeValue, truth[w.Error != ""])
}
