package main

import (
	"context"
	"crypto/rand"
	"fmt"

	"strata/domain"
	"strata/domain/connector"
	"strata/domain/training"
	clusters "strata/internal/cluster"
	"strata/internal/inbound"
	"strata/internal/outbound"
)

// openClusters makes what works with clusters, and what takes their reports in.
func (a *app) openClusters(context.Context) error {
	guard, err := outbound.New(a.cfg.Outbound.Private)
	if err != nil {
		return fmt.Errorf("outbound.private: %w", err)
	}
	client := clusters.NewClient(guard)
	a.clusters = &clusters.Service{Handler: a.handler, Sealer: a.sealer, Client: client, Random: rand.Reader}
	a.onClose(func() error {
		client.CloseIdleConnections()
		return nil
	})
	a.inbound = &inbound.Receiver{Secrets: a.clusters, Now: a.handler.Now, Entities: a.reported()}
	return nil
}

// reported are the kinds of things that others report on, by the prefix of their ids.
func (a *app) reported() inbound.Entities {
	return inbound.Entities{
		connector.Aggregate.Prefix: inbound.Of(a.handler, connector.Aggregate, func(u inbound.Update) domain.Decider[connector.State] {
			return connector.Report{Event: u.Event, Name: u.Name, Status: connector.Status(u.Status), Payload: u.Payload, At: u.At}
		}),
		training.Aggregate.Prefix: inbound.Of(a.handler, training.Aggregate, func(u inbound.Update) domain.Decider[training.State] {
			return training.Update{Status: u.Status, At: u.At, Payload: u.Payload}
		}),
	}
}
