package kafka_test

import (
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"strata/streams/kafka"
)

// TestClosingDoesNotWaitForTheDead closes a subscription whose group waits for a
// member that was killed.
func TestClosingDoesNotWaitForTheDead(t *testing.T) {
	const topic, group = "t", "g"
	brokers := fake(t)
	joinAndDie(t, brokers, group, topic)
	s := subscriber(t, kafka.SubscriberConfig{Connection: at(brokers), Group: group, Rebalance: 5 * time.Minute})
	subscribe(t, s, topic)
	waitForRebalance(t, brokers, group)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(soon):
		t.Error("it waits")
	}
}

// joinAndDie makes a member of a group that is never heard of again.
func joinAndDie(t *testing.T, brokers []string, group, topic string) {
	t.Helper()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := kafkago.Client{Addr: kafkago.TCP(brokers...), Transport: transport}
	join := &kafkago.JoinGroupRequest{GroupID: group, SessionTimeout: 5 * time.Minute, RebalanceTimeout: 5 * time.Minute, ProtocolType: "consumer",
		Protocols: []kafkago.GroupProtocol{{Name: "range", Metadata: kafkago.GroupProtocolSubscription{Topics: []string{topic}}}}}
	joined, err := client.JoinGroup(t.Context(), join)
	if err == nil && joined.MemberID != "" && joined.Error != nil { // it is told its name first
		join.MemberID = joined.MemberID
		joined, err = client.JoinGroup(t.Context(), join)
	}
	if err != nil || joined.Error != nil {
		t.Fatal(err, joined)
	}
	synced, err := client.SyncGroup(t.Context(), &kafkago.SyncGroupRequest{GroupID: group, MemberID: joined.MemberID, GenerationID: joined.GenerationID,
		ProtocolType: "consumer", ProtocolName: "range", Assignments: []kafkago.SyncGroupRequestAssignment{
			{MemberID: joined.MemberID, Assignment: kafkago.GroupProtocolAssignment{AssignedPartitions: map[string][]int{topic: {0}}}},
		}})
	if err != nil || synced.Error != nil {
		t.Fatal(err, synced)
	}
}
