package telemetry_test

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"strata/internal/telemetry"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.Log{Level: "warn", Format: "json"}.Logger(&out)
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud"`) {
		t.Errorf("log: %s", got)
	}
	err = telemetry.Log{Level: "shout", Format: "xml"}.Validate()
	if err == nil || !strings.Contains(err.Error(), "shout") || !strings.Contains(err.Error(), "xml") {
		t.Errorf("both faults should be named: %v", err)
	}
	if err := (telemetry.Log{}).Validate(); err != nil {
		t.Errorf("the defaults are valid: %v", err)
	}
}

func TestMetricsAreServed(t *testing.T) {
	rec := httptest.NewRecorder()
	telemetry.NewMetrics("1.2.3").Handler().ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	if body := rec.Body.String(); !strings.Contains(body, `strata_build_info{version="1.2.3"} 1`) || !strings.Contains(body, "go_goroutines") {
		t.Errorf("metrics: %s", body)
	}
}

func TestTracesReachTheCollector(t *testing.T) {
	paths := make(chan string, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case paths <- r.URL.Path:
		default:
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer collector.Close()
	provider, stop, err := telemetry.Trace{Endpoint: collector.URL}.Provider(t.Context(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	_, span := provider.Tracer("test").Start(t.Context(), "work")
	span.End()
	if err := stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if path := <-paths; path != "/v1/traces" {
		t.Errorf("path %q", path)
	}
}

func TestNoTracesWithoutAnEndpoint(t *testing.T) {
	provider, stop, err := telemetry.Trace{}.Provider(t.Context(), "dev")
	if err != nil || provider != nil || stop(t.Context()) != nil {
		t.Errorf("%v %v", provider, err)
	}
	for _, bad := range []telemetry.Trace{{Endpoint: "localhost:4318"}, {Sample: 2}} {
		if _, _, err := bad.Provider(t.Context(), "dev"); err == nil {
			t.Errorf("%+v should be refused", bad)
		}
	}
}
