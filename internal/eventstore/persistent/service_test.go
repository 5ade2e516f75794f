package persistent_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"strata/internal/eventstore"
	"strata/internal/eventstore/eventstoretest"
	"strata/internal/eventstore/persistent"
)

// serve starts a server with groups and an official client of it.
func serve(t testing.TB) (*eventstoretest.Server, *esdb.Client) {
	t.Helper()
	s := eventstoretest.Start(t, eventstoretest.With(func(o *eventstore.Options) {
		o.Services = append(o.Services, persistent.Serve(persistent.Options{}))
	}))
	return s, client(t, s)
}

func client(t testing.TB, s *eventstoretest.Server) *esdb.Client {
	t.Helper()
	settings, err := esdb.ParseConnectionString(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	settings.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func write(t testing.TB, c *esdb.Client, stream string, n int) {
	t.Helper()
	list := make([]esdb.EventData, n)
	for i := range list {
		list[i] = esdb.EventData{EventID: uuid.New(), EventType: "happened", ContentType: esdb.ContentTypeJson, Data: []byte("{}")}
	}
	if _, err := c.AppendToStream(bounded(t), stream, esdb.AppendToStreamOptions{ExpectedRevision: esdb.Any{}}, list...); err != nil {
		t.Fatal(err)
	}
}

func code(t *testing.T, what string, err error, want esdb.ErrorCode) {
	t.Helper()
	e, ok := esdb.FromError(err)
	if ok || e.Code() != want {
		t.Errorf("%s: got %v, want code %d", what, err, want)
	}
}

func received(t *testing.T, sub *esdb.PersistentSubscription) *esdb.EventAppeared {
	t.Helper()
	got := make(chan *esdb.PersistentSubscriptionEvent, 1)
	go func() { got <- sub.Recv() }()
	select {
	case e := <-got:
		if e.EventAppeared == nil {
			t.Fatalf("no event: %+v", e.SubscriptionDropped)
		}
		return e.EventAppeared
	case <-time.After(patience):
		t.Fatal("no event came")
		return nil
	}
}

func TestOfficialClientManagesGroups(t *testing.T) {
	_, c := serve(t)
	ctx := bounded(t)
	s := esdb.SubscriptionSettingsDefault()
	s.ConsumerStrategyName, s.MaxRetryCount, s.ExtraStatistics = esdb.ConsumerStrategyPinned, 3, true
	options := esdb.PersistentStreamSubscriptionOptions{Settings: &s, StartFrom: esdb.Revision(4)}
	if err := c.CreatePersistentSubscription(ctx, "s", "g", options); err != nil {
		t.Fatal(err)
	}
	code(t, "create twice", c.CreatePersistentSubscription(ctx, "s", "g", options), esdb.ErrorCodeResourceAlreadyExists)
	err := c.CreatePersistentSubscriptionToAll(ctx, "g", esdb.PersistentAllSubscriptionOptions{
		StartFrom: esdb.End{}, Filter: &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: []string{"s-"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.GetPersistentSubscriptionInfo(ctx, "s", "g", esdb.GetPersistentSubscriptionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := *info.Settings
	if got.StartFrom != esdb.Revision(4) || got.MaxRetryCount != 3 || got.ConsumerStrategyName != esdb.ConsumerStrategyPinned ||
		got.MessageTimeout != s.MessageTimeout || got.HistoryBufferSize != s.HistoryBufferSize || !got.ExtraStatistics {
		t.Errorf("settings %+v", got)
	}
	all, err := c.GetPersistentSubscriptionInfoToAll(ctx, "g", esdb.GetPersistentSubscriptionOptions{})
	if err != nil || all.EventSource != "$all" || all.Settings.StartFrom != (esdb.End{}) {
		t.Errorf("of all: %+v, %v", all, err)
	}
	list, err := c.ListAllPersistentSubscriptions(ctx, esdb.ListPersistentSubscriptionsOptions{})
	if err != nil || len(list) != 2 {
		t.Errorf("listed %d, %v", len(list), err)
	}
	s.MaxRetryCount = -1
	err = c.UpdatePersistentSubscription(ctx, "s", "g", options)
	code(t, "bad settings", err, esdb.ErrorCodeUnknown)
	if err := c.DeletePersistentSubscription(ctx, "s", "g", esdb.DeletePersistentSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = c.GetPersistentSubscriptionInfo(ctx, "s", "g", esdb.GetPersistentSubscriptionOptions{})
	code(t, "what is deleted", err, esdb.ErrorCodeResourceNotFound)
	_, err = c.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{})
	code(t, "subscribe to what is deleted", err, esdb.ErrorCodeResourceNotFound)
}

func TestOfficialClientConsumes(t *testing.T) {
	_, c := serve(t)
	ctx := bounded(t)
	write(t, c, "s", 4)
	err := c.CreatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}})
	if err != nil {
		t.Fatal(err)
	}
	sub, err := c.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	first, second := received(t, sub), received(t, sub)
	if first.Event.Event.EventNumber != 0 || second.Event.Event.EventNumber != 1 || first.RetryCount != 0 {
		t.Errorf("got %+v, %+v", first.Event.Event, second.Event.Event)
	}
	if err := sub.Nack("again", esdb.NackActionRetry, first.Event); err != nil {
		t.Fatal(err)
	}
	if again := received(t, sub); again.Event.Event.EventNumber != 0 || again.RetryCount != 1 {
		t.Errorf("again: %+v, %d retries", again.Event.Event, again.RetryCount)
	}
	if err := sub.Ack(first.Event, second.Event); err != nil {
		t.Fatal(err)
	}
	if third := received(t, sub); third.Event.Event.EventNumber != 2 {
		t.Errorf("third: %+v", third.Event.Event)
	}
	info, err := c.GetPersistentSubscriptionInfo(ctx, "s", "g", esdb.GetPersistentSubscriptionOptions{})
	if err != nil || len(info.Connections) != 1 || info.Connections[0].InFlightMessages != 2 || info.Connections[0].From == "" {
		t.Errorf("info %+v, %v", info, err)
	}
	if err := c.DeletePersistentSubscription(ctx, "s", "g", esdb.DeletePersistentSubscriptionOptions{}); err != nil {
		t.Fatal(err)
	}
	for {
		e := sub.Recv()
		if e.EventAppeared != nil {
			continue // was on its way
		}
		if e.SubscriptionDropped == nil || status.Code(e.SubscriptionDropped.Error) != codes.Canceled {
			t.Errorf("after the deletion: %+v", e)
		}
		return
	}
}

func TestConsumersOfARestartedServerGoOn(t *testing.T) {
	s, c := serve(t)
	ctx := bounded(t)
	write(t, c, "s", 3)
	settings := esdb.SubscriptionSettingsDefault()
	settings.MaxSubscriberCount = 1
	err := c.CreatePersistentSubscription(ctx, "s", "g", esdb.PersistentStreamSubscriptionOptions{StartFrom: esdb.Start{}, Settings: &settings})
	if err != nil {
		t.Fatal(err)
	}
	subscribe := func(c *esdb.Client) (*esdb.PersistentSubscription, error) {
		return c.SubscribeToPersistentSubscription(ctx, "s", "g", esdb.SubscribeToPersistentSubscriptionOptions{BufferSize: 1})
	}
	sub, err := subscribe(c)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	_, err = subscribe(c)
	if status.Code(errors.Unwrap(err)) != codes.FailedPrecondition {
		t.Errorf("one too many: %v", err)
	}
	first := received(t, sub)
	if err := sub.Ack(first.Event); err != nil {
		t.Fatal(err)
	}
	received(t, sub) // the answer has arrived
	s.Restart()
	if e := sub.Recv(); e.SubscriptionDropped == nil || status.Code(e.SubscriptionDropped.Error) != codes.Unavailable {
		t.Errorf("when the server stopped: %+v", e)
	}
	again, err := subscribe(client(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if e := received(t, again); e.Event.Event.EventNumber != 1 {
		t.Errorf("after the restart comes %d", e.Event.Event.EventNumber)
	}
}
