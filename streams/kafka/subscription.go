package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// subscription follows a topic: as a member of a group, or by reading all
// partitions.
type subscription struct {
	cfg     *SubscriberConfig
	cluster *cluster
	topic   string
	claim   claimant
	outage  outage

	living  context.Context // of the messages
	kill    context.CancelFunc
	reading context.Context // ends first: nothing more is handed out
	stop    context.CancelFunc
}

// claimant makes of a partition that is ours what works on it until its context
// ends: the partition is given up, or nobody reads any more. The generation is
// nil without a group.
type claimant func(d *subscription, partition int, offset int64, g *kafkago.Generation) func(context.Context)

func newSubscription(ctx context.Context, cfg *SubscriberConfig, c *cluster, topic string, claim claimant) *subscription {
	d := &subscription{cfg: cfg, cluster: c, topic: topic, claim: claim}
	d.living, d.kill = context.WithCancel(context.WithoutCancel(ctx))
	d.reading, d.stop = context.WithCancel(ctx)
	return d
}

// run receives until the subscription is stopped, then winds it down.
func (d *subscription) run() {
	defer d.kill()
	for attempt := 1; d.reading.Err() == nil; attempt++ {
		began := time.Now()
		err := d.receive()
		if d.reading.Err() != nil {
			return
		}
		if time.Since(began) > d.cfg.Session {
			attempt = 1
		}
		d.failing(joining, err)
		d.pause(d.cfg.Backoff(attempt))
	}
}

// pause waits before another try.
func (d *subscription) pause(wait time.Duration) {
	select {
	case <-d.cfg.After(wait):
	case <-d.reading.Done():
	}
}

// receive finds the topic and follows it until something fails.
func (d *subscription) receive() error {
	n, err := d.cluster.partitions(d.reading, d.topic)
	if err != nil {
		return err
	}
	if d.cfg.Group == "" {
		d.worked(joining)
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
	begin, have := d.cfg.begin(), 0
	for {
		for ; have < n; have++ {
			work := d.claim(d, have, begin, nil)
			claims.Go(func() { work(d.reading) })
		}
		begin = kafkago.FirstOffset
		select {
		case <-d.cfg.After(d.cfg.Watch):
		case <-d.reading.Done():
			return d.reading.Err()
		}
		if now, err := d.cluster.countPartitions(d.reading, d.topic); err == nil {
			n = max(n, now)
		}
	}
}

// commit commits the offset of a partition: that of the next record.
func (d *subscription) commit(g *kafkago.Generation, partition int, offset int64) {
	if g == nil {
		return
	}
	if err := g.CommitOffsets(map[string]map[int]int64{d.topic: {partition: offset}}); err != nil {
		d.cfg.Logger.Debug("offset is not committed; records will come again", "topic", d.topic, "partition", partition, "offset", offset, "error", err)
	}
}

// receiveShare is a member of the group until the subscription stops. Within a
// generation of the group every partition has one member; its claims end
// before the next generation begins.
func (d *subscription) receiveShare() (err error) {
	cfg := d.cfg
	connections, share := &lines{open: map[*line]bool{}}, newShare(d.topic)
	group, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
		ID: cfg.Group, Brokers: cfg.Brokers, Dialer: d.cluster.dialer(connections), Topics: []string{d.topic},
		HeartbeatInterval: cfg.Heartbeat, SessionTimeout: cfg.Session, RebalanceTimeout: cfg.Rebalance,
		GroupBalancers: share.balancers(), JoinGroupBackoff: cfg.Backoff(3), StartOffset: cfg.begin(), Timeout: cfg.Timeout,
	})
	if err != nil {
		return fmt.Errorf("group %s: %w", cfg.Group, err)
	}
	member := ""
	var claims sync.WaitGroup
	defer func() {
		closed := make(chan error, 1)
		go func() { closed <- group.Close() }() // ends the generation: its claims drain and commit
		claims.Wait()
		select {
		case fault := <-closed:
			err = errors.Join(err, fault)
		case <-time.After(leaveTime): // it waits for other members to join, who may be dead
			connections.cut()
			err = errors.Join(err, <-closed)
		}
		d.leave(member)
	}()
	for attempt := 1; ; attempt++ {
		generation, err := group.Next(d.reading)
		if d.reading.Err() != nil {
			return d.reading.Err()
		}
		if err != nil {
			d.failing(joining, fmt.Errorf("group %s: %w", cfg.Group, err))
			d.pause(min(cfg.Backoff(attempt), joinPause))
			continue // the group has tried again by itself, or does when it is asked
		}
		attempt, member = 0, generation.MemberID
		d.worked(joining)
		if n := share.taken(); n >= 0 {
			generation.Start(func(ctx context.Context) { d.watch(ctx, n) })
		}
		for _, a := range generation.Assignments[d.topic] {
			work := d.claim(d, a.ID, a.Offset, generation)
			claims.Add(1)
			generation.Start(func(ctx context.Context) { defer claims.Done(); work(ctx) })
		}
	}
}

// joinPause is the longest pause between two tries to join: a group that has
// meanwhile made us a member waits for us.
const joinPause = time.Second

// leaveTime is how long a member that has nothing left to do may take to leave
// its group. Later the others do without its goodbye.
const leaveTime = time.Second

// leave takes a member out of its group. Closing it mostly has done so, but not
// when a rebalance was under way; the others would wait for it as for the dead.
func (d *subscription) leave(member string) {
	if member == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	_, err := d.cluster.client.LeaveGroup(ctx, &kafkago.LeaveGroupRequest{GroupID: d.cfg.Group, Members: []kafkago.LeaveGroupRequestMember{{ID: member}}})
	if err != nil {
		d.cfg.Logger.Debug("member cannot leave its group; the session will end", "group", d.cfg.Group, "error", err)
	}
}
