// Package telemetry sets up what Strata tells of itself: logs by slog, metrics
// for Prometheus, traces over OTLP when an endpoint is configured. Nothing here
// is global; what it returns is passed to those who need it.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// Log is how logs are written.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error; default info
	Format string `yaml:"format"` // text or json; default text
}

// Logger returns a logger writing to w.
func (c Log) Logger(w io.Writer) (*slog.Logger, error) {
	level, err := c.level()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	switch strings.ToLower(c.Format) {
	case "", "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("log format %q is neither text nor json", c.Format)
}

func (c Log) level() (slog.Level, error) {
	if c.Level == "" {
		return slog.LevelInfo, nil
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		return 0, fmt.Errorf("log level %q is not debug, info, warn or error", c.Level)
	}
	return level, nil
}

// Validate names every fault of the configuration.
func (c Log) Validate() error {
	_, level := c.level()
	_, format := Log{Format: c.Format}.Logger(io.Discard)
	return errors.Join(level, format)
}

// Metrics is a Prometheus registry of its own.
type Metrics struct{ *prometheus.Registry }

// NewMetrics returns a registry that already tells of the process, the Go
// runtime and the build.
func NewMetrics(version string) Metrics {
	r := prometheus.NewRegistry()
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "strata_build_info", Help: "Always 1; the labels tell the version.",
		ConstLabels: prometheus.Labels{"version": version},
	}, func() float64 { return 1 })
	r.MustRegister(build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return Metrics{r}
}

// Handler serves the metrics in Prometheus' format.
func (m Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{Registry: m.Registry})
}

// Trace is where traces go.
type Trace struct {
	Endpoint string  `yaml:"endpoint"` // URL of an OTLP/HTTP collector, "http://localhost:4318"; empty: no traces
	Sample   float64 `yaml:"sample"`   // share of requests to trace, 0 to 1; 0 means all
}

// Validate names every fault of the configuration.
func (c Trace) Validate() error {
	var faults []error
	if c.Endpoint != "" && !strings.HasPrefix(c.Endpoint, "http://") && !strings.HasPrefix(c.Endpoint, "https://") {
		faults = append(faults, fmt.Errorf("trace endpoint %q does not begin with http:// or https://", c.Endpoint))
	}
	if c.Sample < 0 || c.Sample > 1 {
		faults = append(faults, fmt.Errorf("trace sample %v is not between 0 and 1", c.Sample))
	}
	return errors.Join(faults...)
}

// Provider returns a provider of tracers and the function that sends what is
// left and stops it. Without an endpoint the provider is nil, which
// the packages of Strata take for "do not trace".
func (c Trace) Provider(ctx context.Context, version string) (trace.TracerProvider, func(context.Context) error, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	if c.Endpoint == "" {
		return nil, func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(tracesURL(c.Endpoint)))
	if err != nil {
		return nil, nil, fmt.Errorf("trace exporter for %s: %w", c.Endpoint, err)
	}
	sampler := sdktrace.AlwaysSample()
	if c.Sample > 0 && c.Sample < 1 {
		sampler = sdktrace.TraceIDRatioBased(c.Sample)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sampler)),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "strata"), attribute.String("service.version", version))),
	)
	return provider, provider.Shutdown, nil
}

// tracesURL adds OTLP's path to an endpoint that has none.
func tracesURL(endpoint string) string {
	_, rest, _ := strings.Cut(endpoint, "://")
	if strings.Contains(strings.TrimRight(rest, "/"), "/") {
		return endpoint
	}
	return strings.TrimRight(endpoint, "/") + "/v1/traces"
}
