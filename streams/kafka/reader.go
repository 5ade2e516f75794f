package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// fetchWait is how long a broker holds a request for records that are not
// there yet.
const fetchWait = 5 * time.Second

// reader reads a partition record by record, in order of offset.
type reader struct {
	cluster   *cluster
	topic     string
	partition int
	offset    int64 // of the next record; FirstOffset or LastOffset at the beginning
	size      int
	end       atomic.Int64 // the partition's end when it was last read; 0: not known yet
}

func newReader(c *cluster, topic string, partition int, offset int64, size int) *reader {
	return &reader{cluster: c, topic: topic, partition: partition, offset: offset, size: size}
}

// next returns the records that come next, perhaps none. It waits a while for
// some, but not for the end of that while when ctx ends.
func (r *reader) next(ctx context.Context) ([]Record, error) {
	if r.offset < 0 {
		if err := r.seek(ctx, r.offset); err != nil {
			return nil, err
		}
	}
	limited, cancel := context.WithTimeout(ctx, fetchWait+r.cluster.Timeout)
	defer cancel()
	answer, err := r.cluster.client.Fetch(limited, &kafkago.FetchRequest{Topic: r.topic, Partition: r.partition, Offset: r.offset,
		MinBytes: 1, MaxBytes: int64(r.size), MaxWait: fetchWait})
	if err == nil {
		err = answer.Error
	}
	if errors.Is(err, kafkago.OffsetOutOfRange) {
		return nil, r.recover(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("fetch from %d: %w", r.offset, err)
	}
	r.end.Store(answer.HighWatermark)
	return r.decode(answer.Records)
}

// seek turns FirstOffset or LastOffset into a number.
func (r *reader) seek(ctx context.Context, to int64) error {
	first, last, err := r.bounds(ctx)
	if err != nil {
		return err
	}
	if r.offset = first; to == kafkago.LastOffset {
		r.offset = last
	}
	return nil
}

// recover finds out why an offset is not there. What retention has removed is
// gone, and said; beyond the end there will be something one day.
func (r *reader) recover(ctx context.Context) error {
	first, last, err := r.bounds(ctx)
	if err != nil {
		return err
	}
	if r.offset < first {
		r.cluster.Logger.Warn("records were removed before they were read", "topic", r.topic, "partition", r.partition, "from", r.offset, "to", first)
		r.offset = first
		return nil
	}
	return fmt.Errorf("offset %d is beyond the end, %d: records are missing that were there", r.offset, last)
}

func (r *reader) bounds(ctx context.Context) (first, last int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.cluster.Timeout)
	defer cancel()
	answer, err := r.cluster.client.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{
		r.topic: {kafkago.FirstOffsetOf(r.partition), kafkago.LastOffsetOf(r.partition)}}})
	if err != nil {
		return 0, 0, fmt.Errorf("list offsets: %w", err)
	}
	for _, p := range answer.Topics[r.topic] {
		if p.Partition == r.partition {
			if p.Error != nil {
				return 0, 0, fmt.Errorf("list offsets: %w", p.Error)
			}
			return p.FirstOffset, p.LastOffset, nil
		}
	}
	return 0, 0, fmt.Errorf("list offsets: %w", kafkago.UnknownTopicOrPartition)
}

// decode copies records out of an answer. A compressed batch comes whole, so it
// may begin before what was asked for; marks of transactions are no records.
func (r *reader) decode(in kafkago.RecordReader) ([]Record, error) {
	batches := []kafkago.RecordReader{in}
	if stream, ok := in.(*protocol.RecordStream); ok {
		batches = stream.Records
	}
	var out []Record
	for _, batch := range batches {
		_, control := batch.(*protocol.ControlBatch)
		for {
			raw, err := batch.ReadRecord()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("read record after %d: %w", r.offset, err)
			}
			record, err := r.copy(raw)
			if err != nil {
				return nil, fmt.Errorf("read record %d: %w", raw.Offset, err)
			}
			if record.Offset < r.offset {
				continue
			}
			r.offset = record.Offset + 1
			if !control {
				out = append(out, record)
			}
		}
	}
	return out, nil
}

// copy takes a record out of the client's buffers, which it reuses.
func (r *reader) copy(raw *kafkago.Record) (Record, error) {
	out := Record{Topic: r.topic, Partition: r.partition, Offset: raw.Offset, Time: raw.Time}
	var err error
	if raw.Key != nil {
		defer raw.Key.Close()
		if out.Key, err = protocol.ReadAll(raw.Key); err != nil {
			return Record{}, err
		}
	}
	if raw.Value != nil {
		defer raw.Value.Close()
		if out.Value, err = protocol.ReadAll(raw.Value); err != nil {
			return Record{}, err
		}
	}
	out.Headers = make([]Header, len(raw.Headers))
	for i, h := range raw.Headers {
		out.Headers[i] = Header{h.Key, h.Value}
	}
	return out, nil
}
