package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"
)

// subscription is one call of Subscribe: a member of a group, or a reader of
// all partitions.
type subscription struct {
	owner *Subscriber
	topic string
	out   chan *message.Message

	living  context.Context // of the messages
	kill    context.CancelFunc
	reading context.Context // ends first: nothing more is handed out
	stop    context.CancelFunc
}

func newSubscription(ctx context.Context, owner *Subscriber, topic string) *subscription {
	d := &subscription{owner: owner, topic: topic, out: make(chan *message.Message)}
	d.living, d.kill = context.WithCancel(context.WithoutCancel(ctx))
	d.reading, d.stop = context.WithCancel(ctx)
	return d
}

// run receives until the subscription is stopped, then winds it down.
func (d *subscription) run() {
	defer close(d.out)
	defer d.kill()
	for attempt := 1; d.reading.Err() == nil; attempt++ {
		began := time.Now()
		err := d.receive()
		if d.reading.Err() != nil {
			return
		}
		if time.Since(began) > d.owner.cfg.Session {
			attempt = 1
		}
		d.failing(err, attempt)
		d.pause(attempt)
	}
}

func (d *subscription) failing(err error, attempt int) {
	d.owner.cfg.Failing(err)
	d.owner.cfg.Logger.Warn("subscription cannot receive", "topic", d.topic, "group", d.owner.cfg.Group, "error", err, "attempt", attempt)
}

// pause waits before another try.
func (d *subscription) pause(attempt int) {
	select {
	case <-d.owner.cfg.After(d.owner.cfg.Backoff(attempt)):
	case <-d.reading.Done():
	}
}

// receive finds the topic and follows it until something fails.
func (d *subscription) receive() error {
	n, err := d.owner.cluster.partitions(d.reading, d.topic)
	if err != nil {
		return err
	}
	d.owner.cfg.Failing(nil)
	if d.owner.cfg.Group == "" {
		return d.receiveAll(n)
	}
	return d.receiveShare()
}

// begin is where a partition without an offset is read from.
func (c SubscriberConfig) begin() int64 {
	if c.Newest {
		return kafkago.LastOffset
	}
	return kafkago.FirstOffset
}

// receiveAll reads all partitions, without a group, and those that are added
// later, from their first record.
func (d *subscription) receiveAll(n int) error {
	var claims sync.WaitGroup
	defer claims.Wait()
	begin, have := d.owner.cfg.begin(), 0
	for {
		for ; have < n; have++ {
			c := newClaim(d, have, begin, nil)
			claims.Go(func() { c.run(d.reading) })
		}
		begin = kafkago.FirstOffset
		select {
		case <-d.owner.cfg.After(d.owner.cfg.Watch):
		case <-d.reading.Done():
			return d.reading.Err()
		}
		if now, err := d.owner.cluster.countPartitions(d.reading, d.topic); err == nil {
			n = max(n, now)
		}
	}
}

// receiveShare is a member of the group until the subscription stops. Within a
// generation of the group every partition has one member; its claims end
// before the next generation begins.
func (d *subscription) receiveShare() (err error) {
	cfg := d.owner.cfg
	group, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID: cfg.Group, Brokers: cfg.Brokers, Dialer: d.owner.cluster.dialer(), Topics: []string{d.topic},
		HeartbeatInterval: cfg.Heartbeat, SessionTimeout: cfg.Session, RebalanceTimeout: cfg.Rebalance,
		PartitionWatchInterval: cfg.Watch, WatchPartitionChanges: true, JoinGroupBackoff: cfg.Backoff(3),
		StartOffset: cfg.begin(), Timeout: cfg.Timeout,
	})
	if err != nil {
		return fmt.Errorf("group %s: %w", cfg.Group, err)
	}
	member := ""
	defer func() {
		// Closing ends the generation: its claims drain and commit.
		err = errors.Join(err, group.Close())
		d.leave(member)
	}()
	for attempt := 1; ; attempt++ {
		generation, err := group.Next(d.reading)
		if d.reading.Err() != nil {
			return d.reading.Err()
		}
		if err != nil {
			d.failing(fmt.Errorf("group %s: %w", cfg.Group, err), attempt)
			continue // the group tries again by itself
		}
		attempt, member = 0, generation.MemberID
		cfg.Failing(nil)
		for _, a := range generation.Assignments[d.topic] {
			c := newClaim(d, a.ID, a.Offset, generation)
			generation.Start(c.run)
		}
	}
}

// leave takes a member out of its group. Closing it mostly has done so, but not
// when a rebalance was under way; the others would wait for it as for the dead.
func (d *subscription) leave(member string) {
	if member == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.owner.cfg.Timeout)
	defer cancel()
	_, err := d.owner.cluster.client.LeaveGroup(ctx, &kafkago.LeaveGroupRequest{GroupID: d.owner.cfg.Group, Members: []kafkago.LeaveGroupRequestMember{{ID: member}}})
	if err != nil {
		d.owner.cfg.Logger.Debug("member cannot leave its group; the session will end", "group", d.owner.cfg.Group, "error", err)
	}
}
