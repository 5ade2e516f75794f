package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
)

// PublisherConfig says how messages are sent.
type PublisherConfig struct {
	Connection
	Marshaler   Marshaler     // default: Plain{}
	Patience    time.Duration // how long sending is tried again before Publish fails; default 30 s
	BatchSize   int           // most messages of one request for a partition; default 1,000
	BatchBytes  int           // most bytes of one; a message with more is refused. Default 900 KiB: brokers take 1 MiB
	Compression string        // "none", "gzip", "snappy", "lz4" or "zstd"; default "none"

	Backoff func(attempt int) time.Duration              // before another try; default 50 ms, doubling, at most 10 s
	After   func(d time.Duration) <-chan time.Time       // clock; default time.After
	Failing func(topic string, partition int, err error) // told of every failed try, and nil after the next success; may be nil
}

func (c *PublisherConfig) prepare() error {
	faults := []error{c.Connection.prepare()}
	if _, err := codecOf(c.Compression); err != nil {
		faults = append(faults, err)
	}
	if c.Patience < 0 || c.BatchSize < 0 || c.BatchBytes < 0 {
		faults = append(faults, errors.New("patience and sizes of batches cannot be negative"))
	}
	if c.Marshaler == nil {
		c.Marshaler = Plain{}
	}
	if c.Backoff == nil {
		c.Backoff = defaultBackoff
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Failing == nil {
		c.Failing = func(string, int, error) {}
	}
	c.Patience = cmp.Or(c.Patience, 30*time.Second)
	c.BatchSize = cmp.Or(c.BatchSize, 1000)
	c.BatchBytes = cmp.Or(c.BatchBytes, 900<<10)
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("kafka publisher: %w", err)
	}
	return nil
}

func codecOf(name string) (kafkago.Compression, error) {
	codecs := map[string]kafkago.Compression{"": compress.None, "none": compress.None, "gzip": compress.Gzip,
		"snappy": compress.Snappy, "lz4": compress.Lz4, "zstd": compress.Zstd}
	codec, ok := codecs[strings.ToLower(name)]
	if !ok {
		return 0, fmt.Errorf("compression: %q is none of none, gzip, snappy, lz4, zstd", name)
	}
	return codec, nil
}

// ErrClosed is returned by Publish and Subscribe after Close.
var ErrClosed = errors.New("closed")

// Publisher is a Watermill publisher. What several goroutines publish at the
// same time shares requests: while one is under way for a partition, whatever
// comes for it waits and goes together with the next.
type Publisher struct {
	cfg     PublisherConfig
	cluster *cluster
	codec   kafkago.Compression
	turn    atomic.Uint32 // partitions of messages without a key

	mu      sync.Mutex
	closed  bool
	queues  map[place]*queue
	topics  map[string]knownTopic
	running sync.WaitGroup
	closing chan struct{} // closed by Close: nothing is tried again
}

// place is a partition of a topic.
type place struct {
	topic     string
	partition int
}

type knownTopic struct {
	partitions int
	until      time.Time
}

var _ message.Publisher = (*Publisher)(nil)

// NewPublisher makes a publisher. The cluster is asked at the first Publish.
func NewPublisher(cfg PublisherConfig) (*Publisher, error) {
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	codec, err := codecOf(cfg.Compression)
	if err != nil {
		return nil, err
	}
	c, err := connect(cfg.Connection)
	if err != nil {
		return nil, err
	}
	return &Publisher{cfg: cfg, cluster: c, codec: codec, queues: map[place]*queue{}, topics: map[string]knownTopic{}, closing: make(chan struct{})}, nil
}

// Publish implements message.Publisher. It returns nil when all replicas in
// sync have every message. After an error any of them may be there; publishing
// all of them again keeps the order of each key. It returns early when a
// message's context ends; the messages may then still arrive.
func (p *Publisher) Publish(topic string, messages ...*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	if !p.enter() {
		return ErrClosed
	}
	defer p.running.Done()
	n, err := p.partitions(messages[0].Context(), topic)
	if err != nil {
		return err
	}
	call := newCall(len(messages))
	entries := make([]entry, len(messages))
	places := make([]int, len(messages))
	for i, m := range messages {
		r, err := p.cfg.Marshaler.Marshal(topic, m)
		if err != nil {
			return fmt.Errorf("publish to %s: %w", topic, err)
		}
		entries[i] = entry{record: r, size: sizeOf(r), call: call}
		if entries[i].size > p.cfg.BatchBytes {
			return fmt.Errorf("publish to %s: message %s has %d bytes, more than %d: %w", topic, m.UUID, entries[i].size, p.cfg.BatchBytes, kafkago.MessageSizeTooLarge)
		}
		places[i] = p.partitionOf(r, n)
	}
	p.enqueue(topic, places, entries)
	return p.await(topic, call, messages)
}

// await waits for the end of a call, or that of a message's context.
func (p *Publisher) await(topic string, c *call, messages []*message.Message) error {
	select {
	case <-c.done:
	case <-messages[0].Context().Done():
		return fmt.Errorf("publish to %s: %w", topic, messages[0].Context().Err())
	}
	if err := c.err(); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

func (p *Publisher) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.running.Add(1)
	return true
}

// partitions knows how many partitions a topic has, trying as long as for
// sending: the cluster may be away.
func (p *Publisher) partitions(ctx context.Context, topic string) (int, error) {
	p.mu.Lock()
	known := p.topics[topic]
	p.mu.Unlock()
	if known.partitions > 0 && time.Now().Before(known.until) {
		return known.partitions, nil
	}
	deadline := p.cfg.After(p.cfg.Patience)
	for attempt := 1; ; attempt++ {
		n, err := p.cluster.partitions(ctx, topic)
		if err == nil {
			p.mu.Lock()
			p.topics[topic] = knownTopic{n, time.Now().Add(metadataAge)}
			p.mu.Unlock()
			return n, nil
		}
		if hopeless(err) {
			return 0, err
		}
		select {
		case <-p.cfg.After(p.cfg.Backoff(attempt)):
		case <-deadline:
			return 0, err
		case <-p.closing:
			return 0, errors.Join(ErrClosed, err)
		case <-ctx.Done():
			return 0, errors.Join(ctx.Err(), err)
		}
	}
}

// partitionOf chooses as Kafka's own clients do: by hash of the key.
func (p *Publisher) partitionOf(r Record, n int) int {
	if r.Key == nil {
		return int(p.turn.Add(1) % uint32(n)) //nolint:gosec // a count of partitions
	}
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return kafkago.Murmur2Balancer{Consistent: true}.Balance(kafkago.Message{Key: r.Key}, all...)
}

// enqueue puts messages into the queues of their partitions, in order.
func (p *Publisher) enqueue(topic string, places []int, entries []entry) {
	for _, partition := range slices.Compact(slices.Sorted(slices.Values(places))) {
		q := p.queue(place{topic, partition})
		q.mu.Lock()
		for i, at := range places {
			if at == partition {
				q.waiting = append(q.waiting, entries[i])
			}
		}
		if !q.busy {
			q.busy = true
			p.running.Go(q.work)
		}
		q.mu.Unlock()
	}
}

func (p *Publisher) queue(at place) *queue {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.queues[at]
	if q == nil {
		q = &queue{owner: p, at: at}
		p.queues[at] = q
	}
	return q
}

// Close implements message.Publisher: what is being sent may finish, and is not
// tried again.
func (p *Publisher) Close() error {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if first {
		close(p.closing)
	}
	p.running.Wait()
	p.cluster.close()
	return nil
}
