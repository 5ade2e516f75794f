package persistent

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"

	wire "github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"

	"strata/domain"
	"strata/internal/eventstore"
	"strata/internal/eventstore/eslog"
)

// Read joins a group: the client first says which, and is told so; then messages
// go one way and answers the other, until one side ends it.
func (s *Service) Read(stream wire.PersistentSubscriptions_ReadServer) error {
	req, err := stream.Recv()
	if err != nil {
		return err
	}
	o := req.GetOptions()
	if o == nil {
		return eventstore.Invalid("the first message has no options")
	}
	key, err := keyOf(o.GetAll() != nil, o.GetStreamIdentifier(), o.GetGroupName())
	if err != nil {
		return err
	}
	if o.GetBufferSize() < 1 {
		return eventstore.Invalid("buffer_size must be positive")
	}
	if err := s.server.Authorize(stream.Context(), domain.StreamID(key.Stream), eslog.Read); err != nil {
		return err
	}
	ctx, cancel := s.server.UntilStop(stream.Context())
	defer cancel()
	consumer, err := s.groups.Connect(key, connection(ctx, int(o.GetBufferSize())))
	if err != nil {
		return translate(ctx, key, err)
	}
	defer consumer.Close()
	err = stream.Send(&wire.ReadResp{Content: &wire.ReadResp_SubscriptionConfirmation_{
		SubscriptionConfirmation: &wire.ReadResp_SubscriptionConfirmation{SubscriptionId: key.String()},
	}})
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go func() { end(answers(stream, consumer)) }()
	structured := o.GetUuidOption().GetString_() == nil
	return ended(ctx, key, send(ctx, stream, consumer, structured))
}

func connection(ctx context.Context, slots int) Connection {
	c := Connection{Slots: slots, User: eventstore.Caller(ctx).Name}
	if p, ok := peer.FromContext(ctx); ok {
		c.From = p.Addr.String()
	}
	if md, ok := metadata.FromIncomingContext(ctx); ok && len(md.Get("connection-name")) > 0 {
		c.Name = md.Get("connection-name")[0]
	}
	return c
}

// send sends messages until there are no more.
func send(ctx context.Context, stream wire.PersistentSubscriptions_ReadServer, c *Consumer, structured bool) error {
	for {
		d, err := c.Next(ctx)
		if err != nil {
			return err
		}
		if err := stream.Send(wireEvent(&d, structured)); err != nil {
			return err
		}
	}
}

// errHungUp: the client has said that it will not answer any more.
var errHungUp = errors.New("the client has ended the subscription")

// answers takes what the client answers until it ends.
func answers(stream wire.PersistentSubscriptions_ReadServer, c *Consumer) error {
	for {
		req, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF):
			return errHungUp
		case err != nil:
			return err
		}
		if err := answer(req, c); err != nil {
			return err
		}
	}
}

func answer(req *wire.ReadReq, c *Consumer) error {
	var list []*shared.UUID
	ack, nack := req.GetAck(), req.GetNack()
	switch {
	case ack != nil:
		list = ack.GetIds()
	case nack != nil:
		list = nack.GetIds()
	default:
		return eventstore.Invalid("a message has neither ack nor nack")
	}
	ids, err := parseIDs(list)
	if err != nil {
		return err
	}
	if ack != nil {
		c.Ack(ids...)
		return nil
	}
	// Stop stops nothing in EventStoreDB either: the message is done with.
	verdicts := map[wire.ReadReq_Nack_Action]Verdict{
		wire.ReadReq_Nack_Unknown: Retry, wire.ReadReq_Nack_Retry: Retry, wire.ReadReq_Nack_Park: Park,
		wire.ReadReq_Nack_Skip: Skip, wire.ReadReq_Nack_Stop: Skip,
	}
	v, ok := verdicts[nack.GetAction()]
	if !ok {
		return eventstore.Invalid("the action of a nack is not known")
	}
	c.Nack(v, nack.GetReason(), ids...)
	return nil
}

// ended tells how a subscription ended: what the client did counts more than
// what it led to.
func ended(ctx context.Context, key Key, err error) error {
	bad := &eventstore.Fault{}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errHungUp):
		return nil
	case errors.As(cause, &bad):
		return bad
	}
	return translate(ctx, key, err)
}
