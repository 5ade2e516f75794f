package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata/domain"
	"strata/projections"
)

// followers shows what follows the log to Prometheus: read models, reactors and
// writers. Every series is read when it is asked for.
type followers struct {
	models   *projections.Runner
	reactors *onDuty

	position, lag, parked, ready, rebuilding *prometheus.Desc
}

func newFollowers(models *projections.Runner, reactors *onDuty) *followers {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("strata_projection_"+name, help, []string{"projection"}, nil)
	}
	return &followers{
		models: models, reactors: reactors,
		position:   desc("position", "Log position up to which everything is reflected, or parked."),
		lag:        desc("lag", "Positions behind the end of the log."),
		parked:     desc("parked_events", "Events set aside because they, or one before them, could not be taken."),
		ready:      desc("ready", "1 while the read model can be read, 0 while it is built from the log."),
		rebuilding: desc("rebuilding", "1 while the read model is folded again beside the living one."),
	}
}

// Describe implements prometheus.Collector.
func (f *followers) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{f.position, f.lag, f.parked, f.ready, f.rebuilding} {
		to <- d
	}
}

// scrapeTime bounds what one look at the followers may take.
const scrapeTime = 5 * time.Second

// Collect implements prometheus.Collector. What cannot be asked now is left out.
func (f *followers) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, name string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, name)
	}
	truth := func(d *prometheus.Desc, v bool, name string) {
		if v {
			gauge(d, 1, name)
		} else {
			gauge(d, 0, name)
		}
	}
	if models, err := f.models.Status(ctx); err == nil {
		for _, s := range models {
			gauge(f.position, float64(s.Position), s.Model)
			gauge(f.lag, float64(s.Lag), s.Model)
			gauge(f.parked, float64(s.Parked), s.Model)
			truth(f.ready, s.Ready, s.Model)
			truth(f.rebuilding, s.Rebuild != nil && !s.Rebuild.State.Ended(), s.Model)
		}
	}
	if reactors, err := f.reactors.Status(ctx); err == nil {
		for _, s := range reactors {
			gauge(f.position, float64(s.Position), s.Name)
			gauge(f.lag, float64(s.Lag), s.Name)
			gauge(f.parked, float64(s.Parked), s.Name)
		}
	}
}

// follower is what /readyz tells of what follows the log. Everybody may ask
// there, so causes, which may quote events, are for the admin API.
type follower struct {
	Name       string            `json:"model"`
	Version    int               `json:"version,omitempty"`
	State      projections.State `json:"state,omitempty"`
	Ready      bool              `json:"ready"`
	Position   domain.Position   `json:"position"`
	Lag        uint64            `json:"lag"`
	Parked     int               `json:"parked"`
	Rebuilding bool              `json:"rebuilding,omitempty"`
	Failing    bool              `json:"failing,omitempty"` // GET /api/v1/admin/projections says why
}

// following describes what follows the log, and tells whether a read model has
// yet to catch up before requests can be served.
func (a *app) following(ctx context.Context) (models, reactors []follower, waiting bool, err error) {
	all, err := a.models.runner.Status(ctx)
	if err != nil {
		return nil, nil, false, err
	}
	for _, s := range all {
		models = append(models, follower{Name: s.Model, Version: s.Version, State: s.State, Ready: s.Ready, Position: s.Position, Lag: s.Lag,
			Parked: s.Parked, Rebuilding: s.Rebuild != nil && !s.Rebuild.State.Ended(), Failing: s.Error != ""})
		waiting = waiting || !s.Ready || s.State == projections.StateStarting || s.State == projections.StateCatchingUp
	}
	others, err := a.duty.Status(ctx)
	for _, s := range others {
		reactors = append(reactors, follower{Name: s.Name, Ready: true, Position: s.Position, Lag: s.Lag, Parked: s.Parked, Failing: s.Error != ""})
	}
	return models, reactors, waiting, err
}
