package kafka

import (
	"context"
	"sync/atomic"

	kafkago "github.com/segmentio/kafka-go"
)

// share hears how many partitions a group's leader, if that is us, has dealt out.
// The client's own watch compares what the topic has later with what it had when
// the watch began. A leader that saw none of the partitions, which happens while
// a broker starts, would leave all members without any, for good.
type share struct {
	topic string
	dealt atomic.Int64 // -1: we were not the leader
}

func newShare(topic string) *share {
	s := &share{topic: topic}
	s.dealt.Store(-1)
	return s
}

// taken returns how many partitions were dealt out by us since the last call; -1:
// somebody else did.
func (s *share) taken() int { return int(s.dealt.Swap(-1)) }

// balancers are the ways to deal out partitions, the client's own.
func (s *share) balancers() []kafkago.GroupBalancer {
	return []kafkago.GroupBalancer{dealer{kafkago.RangeGroupBalancer{}, s}, dealer{kafkago.RoundRobinGroupBalancer{}, s}}
}

// dealer notes what a balancer is given.
type dealer struct {
	kafkago.GroupBalancer
	share *share
}

// AssignGroups implements kafkago.GroupBalancer.
func (d dealer) AssignGroups(members []kafkago.GroupMember, partitions []kafkago.Partition) kafkago.GroupMemberAssignments {
	n := int64(0)
	for _, p := range partitions {
		if p.Topic == d.share.topic {
			n++
		}
	}
	d.share.dealt.Store(n)
	return d.GroupBalancer.AssignGroups(members, partitions)
}

// watch returns, which ends the generation, when the topic has more partitions
// than were dealt out: those it had then, or that were added since. Fewer are
// not seen, except by who asks an old picture of the cluster.
func (d *subscription) watch(ctx context.Context, dealt int) {
	for wait := d.cfg.Backoff(3); ; wait = d.cfg.Watch {
		select {
		case <-d.cfg.After(wait):
		case <-ctx.Done():
			return
		}
		if now, err := d.cluster.countPartitions(d.reading, d.topic); err == nil && now > dealt {
			d.cfg.Logger.Info("a topic has more partitions than its group has shared out", "topic", d.topic, "group", d.cfg.Group, "shared", dealt, "partitions", now)
			return
		}
	}
}
