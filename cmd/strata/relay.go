package main

import (
	"context"
	"errors"
	"slices"

	"strata/domain"
	"strata/domain/budget"
	"strata/domain/catalogue"
	spacecluster "strata/domain/cluster"
	"strata/domain/connector"
	"strata/domain/conversation"
	"strata/domain/identity"
	"strata/domain/inference"
	"strata/domain/knowledge"
	"strata/domain/memory"
	"strata/domain/privacy"
	"strata/domain/secret"
	"strata/domain/session"
	"strata/domain/workflowrun"
	"strata/streams/kafka"
	"strata/streams/relay"
)

// errNoKafka: a relay has nowhere to publish to.
var errNoKafka = errors.New("strata relay publishes to Kafka: set STRATA_KAFKA_BROKERS")

// startRelay publishes the log to Kafka, where there is one.
func (a *app) startRelay(work context.Context) error {
	if !a.role.has(relaying) {
		return nil
	}
	if len(a.cfg.Kafka.Brokers) == 0 {
		if a.role == relaying {
			return errNoKafka
		}
		return nil
	}
	connection, err := kafkaConnection(a.cfg.Kafka, a.log)
	if err != nil {
		return err
	}
	to, err := kafka.NewPublisher(kafka.PublisherConfig{Connection: connection, Marshaler: kafka.Plain{KeyOf: relay.Key},
		Compression: a.cfg.Kafka.Compression, Patience: publishPatience})
	if err != nil {
		return err
	}
	c := a.cfg.Relay
	if len(c.Categories) == 0 {
		c.Categories = relayedByDefault()
	}
	a.relay, err = relay.New(relay.Config{Store: a.store, Codec: a.codec, Publisher: to,
		Categories: c.Categories, Personal: c.Personal, TopicPrefix: c.TopicPrefix, Source: c.Source, Secrets: secretFields,
		TTL: a.term, Sole: a.local != nil, Now: a.now, Logger: a.log, Metrics: a.metrics, At: a.reached})
	if err != nil {
		return errors.Join(err, to.Close())
	}
	a.run(work, "relay", func(ctx context.Context) error { return errors.Join(a.relay.Run(ctx), to.Close()) })
	return nil
}

// publishPatience is how long the publisher tries by itself. The relay goes on
// trying, and says so.
const publishPatience = 2 * relay.DefaultTTL

// relayedByDefault are the categories that are published unless said otherwise:
// no accounts and keys, nothing that holds secrets, no inner workings.
func relayedByDefault() []string {
	out := []string{session.Aggregate.Category, memory.Aggregate.Category, conversation.Aggregate.Category,
		budget.Aggregate.Category, inference.Category, privacy.Erasures.Category, workflowrun.Aggregate.Category}
	for _, k := range catalogue.All() {
		if len(domain.SecretFields(k.Type())) == 0 {
			out = append(out, k.Spec().Name)
		}
	}
	slices.Sort(out)
	return out
}

// secretFields are the fields of a category's events that never leave.
func secretFields(category string) []string {
	if category == identity.APIKeys.Category || category == identity.Invitations.Category {
		return []string{"secret_hash"}
	}
	switch category {
	case spacecluster.Aggregate.Category:
		return spacecluster.SecretFields()
	case connector.Aggregate.Category:
		return connector.SecretFields()
	case secret.Aggregate.Category:
		return secret.SecretFields()
	}
	if category == knowledge.Documents.Category { // no secrets, but long, and nobody follows them
		return []string{"pieces", "sections"}
	}
	for _, k := range catalogue.All() {
		if k.Spec().Name == category {
			return domain.SecretFields(k.Type())
		}
	}
	return nil
}

// relayed is what /readyz tells of the relay. Why it fails is in the log of the
// process: everybody may ask here.
type relayed struct {
	State     string          `json:"state"` // active, standby, failing
	Position  domain.Position `json:"position"`
	Lag       uint64          `json:"lag"`
	Published uint64          `json:"published"`
}

// relayStatus is nil where no relay runs. That it fails does not make a process
// unready: what it could not publish is in the log.
func (a *app) relayStatus(ctx context.Context) *relayed {
	if a.relay == nil {
		return nil
	}
	s, err := a.relay.Status(ctx)
	out := &relayed{State: "standby", Position: s.Position, Lag: s.Lag, Published: s.Published}
	switch {
	case err != nil, s.Error != "":
		out.State = "failing"
	case s.Active:
		out.State = "active"
	}
	return out
}
