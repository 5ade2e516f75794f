package kafka_test

import (
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"strata/streams/kafka/kafkatest"
)

func TestMain(m *testing.M) {
	// Watermill's suite leaves goroutines of its own behind.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe.func2"),
		goleak.IgnoreAnyFunction("github.com/ThreeDotsLabs/watermill/internal/subscriber.(*multiplier).Subscribe.func3"))
}

// fake starts a cluster of three brokers in this process.
func fake(t testing.TB, options ...kfake.Opt) []string {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(1),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"})}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()
}

// TestUniversalSuite runs Watermill's suite for any Pub/Sub: its short form
// here, the whole of it with STRATA_TEST_LONG.
func TestUniversalSuite(t *testing.T) {
	kafkatest.TestSuite(t, kafkatest.Suite{Brokers: fake(t), Session: 2 * time.Second, Short: os.Getenv("STRATA_TEST_LONG") == ""})
}
