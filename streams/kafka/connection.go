package kafka

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Connection says how a cluster is reached. Brokers is needed, the rest has
// defaults.
type Connection struct {
	Brokers  []string      // host:port of some brokers; they name the others
	ClientID string        // what brokers call us in logs and quotas; default "strata"
	TLS      *tls.Config   // nil: no encryption
	SASL     SASL          // zero: no authentication
	Timeout  time.Duration // of connecting, and of one request beside what it may wait for; default 10 s

	Topics Topics       // how topics are made that do not exist
	Logger *slog.Logger // default: discard
}

// SASL is how we prove who we are.
type SASL struct {
	Mechanism string // "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512"; "": no authentication
	User      string
	Password  string
}

// Topics says how topics are made that do not exist when they are first used.
type Topics struct {
	Partitions  int               // default 6
	Replication int               // replicas of each partition; default 0: what the cluster has configured
	Settings    map[string]string // such as "retention.ms"; others are as the cluster has configured
	Existing    bool              // topics are made by somebody else: never create one
}

// metadataAge is how old our picture of the cluster may be: how long it takes
// to find a partition's new leader.
const metadataAge = 3 * time.Second

// prepare fills in defaults and names everything that is wrong.
func (c *Connection) prepare() error {
	var faults []error
	if len(c.Brokers) == 0 {
		faults = append(faults, errors.New("brokers: there is none"))
	}
	for _, b := range c.Brokers {
		if _, port, err := net.SplitHostPort(b); err != nil || port == "" {
			faults = append(faults, fmt.Errorf("brokers: %q is not host:port", b))
		}
	}
	if _, err := c.SASL.mechanism(); err != nil {
		faults = append(faults, err)
	}
	if c.Topics.Partitions < 0 || c.Topics.Replication < 0 {
		faults = append(faults, fmt.Errorf("topics: %d partitions with %d replicas", c.Topics.Partitions, c.Topics.Replication))
	}
	if c.Timeout < 0 {
		faults = append(faults, fmt.Errorf("timeout: %s is negative", c.Timeout))
	}
	c.ClientID = cmp.Or(c.ClientID, "strata")
	c.Timeout = cmp.Or(c.Timeout, 10*time.Second)
	c.Topics.Partitions = cmp.Or(c.Topics.Partitions, 6)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return errors.Join(faults...)
}

func (s SASL) mechanism() (sasl.Mechanism, error) {
	if s.Mechanism != "" && s.User == "" {
		return nil, errors.New("sasl: there is a mechanism and no user")
	}
	switch strings.ToUpper(s.Mechanism) {
	case "":
		return nil, nil
	case "PLAIN":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	}
	return nil, fmt.Errorf("sasl: mechanism %q is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", s.Mechanism)
}

// cluster is an open connection: a client for requests and what it shares
// between goroutines.
type cluster struct {
	Connection
	transport *kafkago.Transport
	client    *kafkago.Client
}

// connect makes a cluster of a prepared connection. Nothing is sent yet.
func connect(c Connection) (*cluster, error) {
	mechanism, err := c.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	t := &kafkago.Transport{ClientID: c.ClientID, TLS: c.TLS, SASL: mechanism, DialTimeout: c.Timeout, MetadataTTL: metadataAge}
	return &cluster{c, t, &kafkago.Client{Addr: kafkago.TCP(c.Brokers...), Transport: t}}, nil
}

// close gives up the connections that are idle; others close when they are.
func (c *cluster) close() { c.transport.CloseIdleConnections() }

// dialer opens connections of its own: a member of a group needs one.
func (c *cluster) dialer(l *lines) *kafkago.Dialer {
	mechanism, _ := c.SASL.mechanism() // was checked by connect
	return &kafkago.Dialer{ClientID: c.ClientID, TLS: c.TLS, SASLMechanism: mechanism, Timeout: c.Timeout, DialFunc: l.dial}
}

// partitions returns how many partitions a topic has, after making it if there
// is none and we may.
func (c *cluster) partitions(ctx context.Context, topic string) (int, error) {
	n, err := c.countPartitions(ctx, topic)
	if !errors.Is(err, kafkago.UnknownTopicOrPartition) || c.Topics.Existing {
		return n, err
	}
	if err := c.createTopic(ctx, topic); err != nil {
		return 0, err
	}
	return c.countPartitions(ctx, topic)
}

func (c *cluster) countPartitions(ctx context.Context, topic string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	m, err := c.client.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("describe topic %s: %w", topic, err)
	}
	for _, t := range m.Topics {
		if t.Name == topic && t.Error == nil && len(t.Partitions) > 0 {
			return len(t.Partitions), nil
		}
		if t.Name == topic && t.Error != nil {
			return 0, fmt.Errorf("describe topic %s: %w", topic, t.Error)
		}
	}
	return 0, fmt.Errorf("describe topic %s: %w", topic, kafkago.UnknownTopicOrPartition)
}

// createTopic makes a topic. That somebody else was faster is no error.
func (c *cluster) createTopic(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	t := kafkago.TopicConfig{Topic: topic, NumPartitions: c.Topics.Partitions, ReplicationFactor: cmp.Or(c.Topics.Replication, -1)}
	for name, value := range c.Topics.Settings {
		t.ConfigEntries = append(t.ConfigEntries, kafkago.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	answer, err := c.client.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{t}})
	if err == nil {
		err = answer.Errors[topic]
	}
	if err != nil && !errors.Is(err, kafkago.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return nil
}

// hopeless tells that an error will be the same next time.
func hopeless(err error) bool {
	for _, final := range []error{
		kafkago.MessageSizeTooLarge, kafkago.RecordListTooLarge, kafkago.InvalidTopic, kafkago.TopicAuthorizationFailed,
		kafkago.GroupAuthorizationFailed, kafkago.ClusterAuthorizationFailed, kafkago.SASLAuthenticationFailed,
		kafkago.UnsupportedSASLMechanism, kafkago.UnsupportedVersion, kafkago.InvalidRecord, kafkago.PolicyViolation,
		kafkago.InvalidReplicationFactor, kafkago.InvalidConfiguration,
	} {
		if errors.Is(err, final) {
			return true
		}
	}
	return false
}

func defaultBackoff(attempt int) time.Duration {
	return min(50*time.Millisecond<<min(attempt-1, 10), 10*time.Second)
}

// Ping tells whether a cluster answers.
func Ping(ctx context.Context, c Connection) error {
	if err := c.prepare(); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	cluster, err := connect(c)
	if err != nil {
		return err
	}
	defer cluster.close()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	if _, err := cluster.client.ApiVersions(ctx, &kafkago.ApiVersionsRequest{}); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	return nil
}
