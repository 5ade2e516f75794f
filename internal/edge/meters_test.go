package edge_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"strata/internal/edge"
)

// The metrics tell requests by room and outcome, what failed and was tried again, and
// which nodes are thought to be up.
func TestMetrics(t *testing.T) {
	dies := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	writer, reader := newFake(t, dies), newFake(t, says("read"))
	const absent = "127.0.0.1:1" // of a port that no other test is given
	away := newFake(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	metrics := prometheus.NewRegistry()
	named := strings.NewReplacer(writer.Listener.Addr().String(), "writer", reader.Listener.Addr().String(), "reader",
		away.Listener.Addr().String(), "away", absent, "absent")
	s := front(t, []*fake{writer}, []*fake{away, reader}, func(cfg *edge.Config) {
		cfg.Metrics = metrics
		cfg.Readers = append(cfg.Readers, "http://"+absent)
		cfg.CheckEvery, cfg.CheckWithin = time.Hour, time.Minute // once, however busy the machine is
	})
	value := func(series string) float64 { return valueOf(t, metrics, named, series) }
	asked := 0.0
	read := func() {
		t.Helper()
		asked++
		if status, text, _ := ask(t, s, "GET", "/v1/x", ""); status != http.StatusOK {
			t.Fatal(status, text)
		}
	}
	for value(`strata_edge_node_up{node="absent",room="read"}`) != 0 {
		read() // until the absent node was met, by a check or by this
	}
	for range 3 { // one of them begins with the node that is away
		read()
	}
	ask(t, s, "POST", "/v1/x", "{}")
	s.Close() // every request has been counted
	// The only check finds the absent node silent, perhaps while a request tries it.
	failures := func(node string, whys ...string) (n float64) {
		for _, why := range whys {
			n += value(`strata_edge_node_failures_total{node="` + node + `",why="` + why + `"}`)
		}
		return n
	}
	passedOver := failures("away", "unavailable")
	for series, want := range map[string]float64{
		`strata_edge_requests_total{room="read",status="2xx"}`:             asked,
		`strata_edge_request_duration_seconds{room="read"}`:                asked,
		`strata_edge_requests_total{room="write",status="5xx"}`:            1,
		`strata_edge_refused_total{why="unknown_outcome"}`:                 1,
		`strata_edge_refused_total{why="no_node"}`:                         0,
		`strata_edge_node_failures_total{node="writer",why="lost"}`:        1,
		`strata_edge_node_failures_total{node="reader",why="unavailable"}`: 0,
		`strata_edge_retries_total{room="read"}`:                           passedOver + failures("absent", "unreachable", "silent"),
		`strata_edge_retries_total{room="write"}`:                          0,
		`strata_edge_node_up{node="absent",room="read"}`:                   0,
		`strata_edge_node_up{node="reader",room="read"}`:                   1,
		`strata_edge_requests_in_flight{}`:                                 0,
	} {
		if got := value(series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
	if passedOver == 0 {
		t.Error("the node that is away was never met")
	}
}

// A caller that does not wait for its answer is not a fault of the installation.
func TestCallersThatAreGone(t *testing.T) {
	arrived := make(chan struct{})
	n := newFake(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	metrics := prometheus.NewRegistry()
	s := front(t, []*fake{n}, []*fake{n}, func(cfg *edge.Config) { cfg.Metrics = metrics })
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-arrived; leave() }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/x", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := s.Client().Do(req); err == nil {
		res.Body.Close()
		t.Fatal("it was answered")
	}
	s.Close()
	for series, want := range map[string]float64{
		`strata_edge_requests_total{room="write",status="gone"}`: 1,
		`strata_edge_requests_total{room="write",status="5xx"}`:  0,
		`strata_edge_refused_total{why="unknown_outcome"}`:       0,
		`strata_edge_refused_total{why="no_node"}`:               0,
	} {
		if got := valueOf(t, metrics, strings.NewReplacer(), series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}

// valueOf finds a series: what it counts, or how often it has observed something. One
// that is not there counts nothing.
func valueOf(t *testing.T, from prometheus.Gatherer, named *strings.Replacer, series string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName()+`="`+named.Replace(l.GetValue())+`"`)
			}
			if f.GetName()+"{"+strings.Join(labels, ",")+"}" == series {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return 0
}
