package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"

	"strata/streams"
)

// Config is what a relay works with. Store, Codec, Publisher and Categories are
// needed.
type Config struct {
	Store     streams.Store
	Codec     *streams.Codec
	Publisher message.Publisher

	Categories  []string // whose events are published
	Personal    []string // of these: whose personal data is published too
	TopicPrefix string   // before the category; default "strata."
	Source      string   // the CloudEvents source, a URI reference; default "strata"

	// Topic names the topic of a category; nil: TopicPrefix and the category.
	Topic func(category string) string
	// Message makes the message of an event; nil: CloudEvents, as this package
	// describes. What it makes must be for those only who may read all of it.
	Message func(r streams.Recorded) (*message.Message, error)

	// Secrets names fields that are never published, wherever they occur in the
	// data of a category's events; nil: there are none.
	Secrets func(category string) []string
	// MaxData is the most bytes of data that are published; larger data is left
	// out, and "ce_dataremoved" says so: an event that no broker takes must not
	// stop those behind it. Default 768 KiB, which fits the 1 MiB that Kafka takes.
	MaxData int

	Name      string        // of the lease that holds the checkpoint; default "relay"
	Holder    string        // see lease.Config
	TTL       time.Duration // see lease.Config; default DefaultTTL
	Sole      bool          // see lease.Config
	BatchSize int           // most events of one batch; default 1000
	SaveEvery time.Duration // how much may be published again after a crash; default 1 s

	Backoff func(attempt int) time.Duration        // before another try; default 50 ms, doubling, at most 10 s
	Now     func() time.Time                       // clock; default time.Now
	After   func(d time.Duration) <-chan time.Time // clock; default time.After
	Logger  *slog.Logger                           // default: discard
	Metrics prometheus.Registerer                  // nil: none

	// At is told of points that tests crash at; nil: nobody is.
	At func(point string)
}

// DefaultTTL is how long the lease of a relay lasts that does not renew it.
const DefaultTTL = 5 * time.Second

func (c *Config) setDefaults() error {
	if c.Store == nil || c.Codec == nil || c.Publisher == nil {
		return errors.New("relay: store, codec and publisher are needed")
	}
	var faults []error
	if len(c.Categories) == 0 {
		faults = append(faults, errors.New("relay: no category is allowed"))
	}
	for _, name := range c.Personal {
		if !slices.Contains(c.Categories, name) {
			faults = append(faults, fmt.Errorf("relay: personal data of %s cannot be published: the category is not allowed", name))
		}
	}
	setDefault(&c.TopicPrefix, "strata.")
	setDefault(&c.Source, "strata")
	setDefault(&c.MaxData, 768<<10)
	setDefault(&c.Name, "relay")
	setDefault(&c.TTL, DefaultTTL)
	setDefault(&c.BatchSize, 1000)
	setDefault(&c.SaveEvery, time.Second)
	if c.Secrets == nil {
		c.Secrets = func(string) []string { return nil }
	}
	if c.Topic == nil {
		c.Topic = func(category string) string { return c.TopicPrefix + category }
	}
	if c.Backoff == nil {
		c.Backoff = func(attempt int) time.Duration {
			return min(50*time.Millisecond<<min(attempt-1, 10), 10*time.Second)
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.After == nil {
		c.After = time.After
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.At == nil {
		c.At = func(string) {}
	}
	return errors.Join(faults...)
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}
