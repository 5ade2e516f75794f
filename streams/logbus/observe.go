package logbus

import (
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// metrics counts and times the messages of every handler.
type metrics struct{ seconds *prometheus.HistogramVec }

func newMetrics(registry prometheus.Registerer) (*metrics, error) {
	m := &metrics{seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "strata_reactor_seconds", Help: "Time to handle a message, retries included, by reactor and outcome (ok, error).",
		Buckets: prometheus.ExponentialBuckets(0.0005, 4, 9),
	}, []string{"reactor", "outcome"})}
	if registry == nil {
		return m, nil
	}
	err := registry.Register(m.seconds)
	if before, twice := errors.AsType[prometheus.AlreadyRegisteredError](err); twice {
		// Of a router that has stopped: this one counts on.
		if seconds, ok := before.ExistingCollector.(*prometheus.HistogramVec); ok {
			m.seconds, err = seconds, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("router: metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) measured(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		start := time.Now()
		out, err := next(msg)
		outcome := "ok"
		if err != nil {
			outcome = "error"
		}
		m.seconds.WithLabelValues(message.HandlerNameFromCtx(msg.Context()), outcome).Observe(time.Since(start).Seconds())
		return out, err
	}
}

// traced makes a span of every message.
func traced(provider trace.TracerProvider) message.HandlerMiddleware {
	tracer := provider.Tracer("strata/streams/logbus")
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) ([]*message.Message, error) {
			before := msg.Context()
			ctx, span := tracer.Start(before, "react "+message.HandlerNameFromCtx(before), trace.WithSpanKind(trace.SpanKindConsumer))
			defer span.End()
			if span.IsRecording() {
				span.SetAttributes(
					attribute.String("event.type", msg.Metadata[MetaType]),
					attribute.String("event.stream", msg.Metadata[MetaStream]),
					attribute.String("event.position", msg.Metadata[MetaPosition]),
					attribute.String("correlation_id", middleware.MessageCorrelationID(msg)))
			}
			msg.SetContext(ctx)
			defer msg.SetContext(before)
			out, err := next(msg)
			if err != nil {
				span.RecordError(err)
				span.SetStatus(codes.Error, err.Error())
			}
			return out, err
		}
	}
}
