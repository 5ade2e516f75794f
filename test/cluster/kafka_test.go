//go:build e2e

package cluster

import (
	"context"
	"slices"
	"testing"

	"strata/domain"
	"strata/streams"
	"strata/streams/eventstoredb"
	"strata/test/cluster/topology"
	"strata/test/kafka/follower"
	"strata/test/kit"
)

// relayed are the categories whose topics are followed: what authors write, and
// the streams that all nodes that write append to.
var relayed = []string{"session", "budget"}

// follow reads what relays publish until the test ends.
func follow(t *testing.T, c *topology.Cluster) *follower.Follower {
	t.Helper()
	var topics []string
	for _, category := range relayed {
		topics = append(topics, "strata."+category)
	}
	f, err := follower.Start(c.Kafka.Address(), topics...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(); err != nil {
			t.Errorf("stop following: %v", err)
		}
	})
	return f
}

// troubleKafka kills and pauses the relay that publishes, then the broker. What
// is written meanwhile does not wait for either, and comes to the topics at last.
func troubleKafka(t *testing.T, c *topology.Cluster, l *load, topics *follower.Follower) {
	t.Helper()
	publishes := post{"publishes", c.Relays, relays}
	publishes.move(t, "killed", (*kit.Server).Kill, (*kit.Server).Start)
	reach(t, topics, 50)
	publishes.move(t, "paused", (*kit.Server).Pause, (*kit.Server).Resume)
	reach(t, topics, 50)
	for _, trouble := range []struct {
		name       string
		begin, end func() error
	}{
		{"the broker is killed", c.Kafka.Kill, c.Kafka.Start},
		{"the broker is paused", c.Kafka.Pause, c.Kafka.Resume},
	} {
		t.Log(trouble.name)
		if err := trouble.begin(); err != nil {
			t.Fatal(err)
		}
		l.progress(t)
		l.caller.progress(t) // calls do not wait for the broker either
		if err := trouble.end(); err != nil {
			t.Fatal(err)
		}
		reach(t, topics, 50)
	}
}

// reach waits until n more events have come to the topics.
func reach(t *testing.T, topics *follower.Follower, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settled)
	defer cancel()
	have, _ := topics.Count()
	if err := topics.Reach(ctx, have+n); err != nil {
		t.Fatal(err)
	}
}

// relays tells whether a node is the one that publishes.
func relays(r kit.Readiness) bool {
	return r.Components.Relay.State == "active"
}

// checkKafka compares the topics with the log.
func checkKafka(t *testing.T, c *topology.Cluster, topics *follower.Follower) {
	t.Helper()
	log, err := eventstoredb.Open("esdb://"+c.Log.Address()+"?tls=false", eventstoredb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	written, total := map[domain.StreamID][]string{}, 0
	for e, err := range log.ReadAll(t.Context(), streams.ReadAll{Filter: &streams.Filter{Categories: relayed}}) {
		if err != nil {
			t.Fatal(err)
		}
		written[e.Stream] = append(written[e.Stream], e.ID.String())
		total++
	}
	ctx, cancel := context.WithTimeout(t.Context(), settled)
	defer cancel()
	if err := topics.Reach(ctx, total); err != nil {
		t.Error(err)
	}
	published := topics.Streams()
	for stream, ids := range written {
		if got := published[stream]; !slices.Equal(got, ids) {
			t.Errorf("%s: the log has %d events, the topic %d, or in another order", stream, len(ids), len(got))
		}
	}
	different, again := topics.Count()
	if different != total {
		t.Errorf("the topics have %d events, the log %d", different, total)
	}
	t.Logf("%d events of %d streams relayed, %d of them came again", total, len(written), again)
}
