package kafka_test

import (
	"bytes"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"strata/streams/kafka"
)

// memberMetadata is the newest version of the request with which a group's
// leader asks for partitions; everything else here asks with a newer one.
const memberMetadata = 6

// A leader that is told there are no partitions, as a broker may say while it
// starts, leaves nobody without for good.
func TestALeaderThatSawNoPartitionsLooksAgain(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(1), kfake.SeedTopics(3, "topic"),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	denied := make(chan struct{}, 1)
	cluster.ControlKey(int16(kmsg.Metadata), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.MetadataRequest)
		if len(denied) > 0 || req.Version > memberMetadata || len(req.Topics) == 0 {
			return nil, nil, false
		}
		denied <- struct{}{}
		answer := req.ResponseKind().(*kmsg.MetadataResponse)
		topic := kmsg.NewMetadataResponseTopic()
		topic.Topic, topic.ErrorCode = req.Topics[0].Topic, kerr.UnknownTopicOrPartition.Code
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
	c := at(cluster.ListenAddrs())
	publish(t, publisher(t, kafka.PublisherConfig{Connection: c}), "topic", numbered("key", 3)...)
	messages := subscribe(t, subscriber(t, kafka.SubscriberConfig{Connection: c, Group: "g"}), "topic")
	for range 3 {
		receive(t, messages).Ack()
	}
	if len(denied) != 1 {
		t.Error("nobody was told that there are no partitions: that proves nothing")
	}
}

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// While the broker is away its members are silent, nearly: the log has the
// outage's beginning and its end.
func TestAnOutageIsToldOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	c := at([]string{address})
	var told lines
	c.Logger = slog.New(slog.NewTextHandler(&told, nil))
	failures, well := make(chan error, 100), make(chan struct{}, 10)
	sub := subscriber(t, kafka.SubscriberConfig{Connection: c, Group: "g", Failing: func(err error) {
		if err == nil {
			well <- struct{}{}
			return
		}
		select {
		case failures <- err:
		default: // enough
		}
	}})
	messages := subscribe(t, sub, "topic")
	for range 100 {
		<-failures
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(number), kfake.GroupMinSessionTimeout(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	publish(t, publisher(t, kafka.PublisherConfig{Connection: at([]string{address})}), "topic", numbered("key", 1)...)
	receive(t, messages).Ack()
	<-well
	if n := told.count("cannot receive"); n < 1 || n > 10 {
		t.Errorf("an outage of 100 failures is told %d times:\n%s", n, told.text.String())
	}
	if n := told.count("receives again"); n != 1 {
		t.Errorf("its end is told %d times", n)
	}
}
