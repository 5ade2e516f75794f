package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"strata/streams/kafka"
)

// laneShare is what /readyz tells of the partitions of recorded calls that this
// process writes to ClickHouse. What fails is in its log: everybody may ask here.
type laneShare struct {
	State string       `json:"state"` // active, failing
	Lag   int64        `json:"lag"`   // records, of all of them
	Lanes []laneStatus `json:"lanes"`
}

type laneStatus struct {
	kafka.LaneStatus
	Lag int64 `json:"lag"`
}

// laneShare is nil where calls do not come over Kafka. That lanes fail does not
// make a process unready: what they could not write is in the log.
func (a *app) laneShare() *laneShare {
	if a.lanes == nil {
		return nil
	}
	out := &laneShare{State: "active", Lanes: []laneStatus{}}
	if a.lanes.Failing() {
		out.State = "failing"
	}
	for _, s := range a.lanes.Status() {
		out.Lanes = append(out.Lanes, laneStatus{s, s.Lag()})
		out.Lag += s.Lag()
	}
	return out
}

// laneMetrics shows the same to Prometheus. Every process has the series, so that
// what asks for them need not know how calls come.
type laneMetrics struct {
	app                 *app
	lanes, lag, failing *prometheus.Desc
}

func newLaneMetrics(a *app) *laneMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("strata_clickhouse_lanes"+name, help, labels, nil)
	}
	return &laneMetrics{app: a,
		lanes:   desc("", "Partitions of recorded calls that this process writes to ClickHouse.", "state"),
		lag:     desc("_lag", "Records of them that are published and not written yet, as far as is known."),
		failing: desc("_failing", "1 while taking a share of them, reading or writing fails and is tried again."),
	}
}

// Describe implements prometheus.Collector.
func (m *laneMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.lanes
	to <- m.lag
	to <- m.failing
}

// Collect implements prometheus.Collector.
func (m *laneMetrics) Collect(to chan<- prometheus.Metric) {
	states := map[string]float64{kafka.LaneOpening: 0, kafka.LaneCopying: 0, kafka.LaneFailing: 0}
	lag, failing := 0.0, 0.0
	if share := m.app.laneShare(); share != nil {
		lag = float64(share.Lag)
		if share.State == "failing" {
			failing = 1
		}
		for _, l := range share.Lanes {
			states[l.State]++
		}
	}
	for state, n := range states {
		to <- prometheus.MustNewConstMetric(m.lanes, prometheus.GaugeValue, n, state)
	}
	to <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, lag)
	to <- prometheus.MustNewConstMetric(m.failing, prometheus.GaugeValue, failing)
}
