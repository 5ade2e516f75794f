// Package kafkafeed brings recorded model calls to ClickHouse over Kafka.
//
// The log stays the truth: a call is recorded there before its last byte leaves,
// by whichever node served it. A relay publishes the records to one topic
// (MessageOf, Topic), keyed by stream, in the form in which the log has them:
// what is personal stays sealed on the way, so that erasing a person reaches the
// topic too. Any number of processes consume it as one group (Sink); each
// partition is a lane of the tables, which one of them writes.
//
// Rows are there once, although everything on the way is at least once. A relay
// that crashed publishes again, but in the log's order, so what a partition has
// for the first time comes in order of position, and the highest position that
// the lane's tables hold says what is a repetition. Kafka's offsets only spare
// reading again; nothing depends on them. Of two processes that both believe to
// have a partition one has the lane's claim, and the other writes nothing.
//
// A stream must stay in its partition: the number of partitions of the topic is
// not to be changed.
package kafkafeed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/projections/analytics"
	"strata/streams"
	"strata/streams/kafka"
	"strata/streams/logbus"
)

// Category is the category of streams whose events go over the topic.
const Category = inference.Category

// MessageOf makes the message of a recorded event, as a relay publishes it.
func MessageOf(r streams.Recorded) (*message.Message, error) { return logbus.NewMessage(r), nil }

// Marshaler is how messages become records: keyed by stream.
func Marshaler() kafka.Marshaler { return kafka.Plain{} }

// Settings of the topic: payloads of calls are larger than what brokers take
// unless told. MaxMessage is what a publisher may send as one request.
const (
	MaxMessage = 8 << 20
	overhead   = 64 << 10
)

// TopicSettings are those the topic is made with.
func TopicSettings() map[string]string {
	return map[string]string{"max.message.bytes": fmt.Sprint(MaxMessage + overhead)}
}

// Sink writes the topic into the tables. All fields but Logger are needed.
type Sink struct {
	DB     *clickhouse.DB
	Codec  *streams.Codec
	Owner  analytics.Owner
	Logger *slog.Logger // nil: none
}

var _ kafka.Sink = Sink{}

// Open implements kafka.Sink: the partition's lane is opened.
func (s Sink) Open(ctx context.Context, _ string, partition int) (kafka.Lane, error) {
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	l, err := analytics.OpenLane(ctx, s.DB, partition+1, analytics.LaneOptions{Owner: s.Owner, Logger: s.Logger})
	if err != nil {
		return nil, err
	}
	return &lane{s, l}, nil
}

type lane struct {
	sink Sink
	rows *analytics.Lane
}

// Write implements kafka.Lane. A record that is no event of ours is left out,
// and said: no later version of us would understand it. An event that cannot be
// decoded holds the lane up until somebody can: it may come from a newer version.
func (l *lane) Write(ctx context.Context, records []kafka.Record) error {
	items := make([]analytics.Item, 0, len(records))
	var faults []error
	for _, r := range records {
		stored, err := recordedOf(r)
		if err != nil {
			l.sink.Logger.ErrorContext(ctx, "a record is no event and is left out", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			continue
		}
		e, err := l.sink.Codec.Decode(stored)
		if err != nil {
			faults = append(faults, fmt.Errorf("decode record %d, event %d: %w", r.Offset, stored.Position, err))
			break
		}
		items = append(items, analytics.ItemOf(e))
	}
	return errors.Join(append(faults, l.rows.Write(ctx, items))...)
}

func recordedOf(r kafka.Record) (streams.Recorded, error) {
	m, err := Marshaler().Unmarshal(r)
	if err != nil {
		return streams.Recorded{}, err
	}
	return logbus.RecordedOf(m)
}

// Close implements kafka.Lane.
func (l *lane) Close() error { return l.rows.Close() }
