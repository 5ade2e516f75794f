package eventstore

import (
	"context"
	"time"

	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protowire"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// follow answers a subscription: a confirmation, what is there, that it has
// caught up, and what comes.
func (r *reading) follow() error {
	ctx, cancel := r.server.UntilStop(r.call.Context())
	defer cancel()
	sub, err := r.subscribe(ctx)
	if err != nil {
		return r.server.fault(ctx, r.stream, err)
	}
	err = r.confirm()
	f := follower{reading: r, sub: sub, revision: r.revision}
	for err == nil {
		err = f.step(ctx)
	}
	if cerr := sub.Close(); cerr != nil {
		r.server.opts.Logger.Warn("could not close a subscription", "error", cerr)
	}
	return r.server.fault(ctx, r.stream, err)
}

func (r *reading) subscribe(ctx context.Context) (eslog.Subscription, error) {
	if r.stream == AllStream {
		return r.server.log.SubscribeAll(ctx, r.position, r.filter)
	}
	return r.server.log.SubscribeStream(ctx, r.stream, r.revision)
}

func (r *reading) confirm() error {
	return r.call.Send(&pb.ReadResp{Content: &pb.ReadResp_Confirmation{
		Confirmation: &pb.ReadResp_SubscriptionConfirmation{SubscriptionId: uuid.NewString()},
	}})
}

// follower sends what a subscription delivers.
type follower struct {
	*reading
	sub      eslog.Subscription
	caughtUp bool
	begun    bool
	looked   domain.Position // up to here events were counted for checkpoints
	told     domain.Position // of the last checkpoint
	revision domain.Revision // of the last event
}

// step sends one batch.
func (f *follower) step(ctx context.Context) error {
	b, err := f.sub.Next(ctx)
	if err != nil {
		return err
	}
	if !f.begun {
		f.begin(b)
	}
	for i := range b.Records {
		e := &b.Records[i]
		if err := f.checkpoints(e.Position - 1); err != nil {
			return err
		}
		if err := f.send(ctx, e); err != nil {
			return err
		}
		f.revision = e.Revision
		if err := f.checkpoints(e.Position); err != nil {
			return err
		}
	}
	if err := f.checkpoints(b.Position); err != nil {
		return err
	}
	if !b.CaughtUp || f.caughtUp {
		return nil
	}
	f.caughtUp = true
	if f.interval > 0 {
		if err := f.checkpoint(b.Position); err != nil {
			return err
		}
	}
	return f.call.Send(&pb.ReadResp{Content: &pb.ReadResp_CaughtUp_{CaughtUp: f.caughtUpAt(b.Position)}})
}

// begin notes where the subscription began.
func (f *follower) begin(b eslog.Batch) {
	f.begun = true
	f.looked = f.position
	if f.position == eslog.EndPosition {
		f.looked = b.Position
		if len(b.Records) > 0 {
			f.looked = b.Records[0].Position - 1
		}
	}
	f.told = f.looked
}

// maxCheckpoints bounds the checkpoints between two events: a client that finds
// nothing in a million events is told of the last ones.
const maxCheckpoints = 64

// checkpoints sends what checkpoints are due up to a position: one for each
// interval of events looked at.
func (f *follower) checkpoints(upTo domain.Position) error {
	if f.interval == 0 || upTo <= f.looked {
		return nil
	}
	interval := domain.Position(f.interval)
	if due := (upTo - f.looked) / interval; due > maxCheckpoints {
		f.looked += (due - maxCheckpoints) * interval
	}
	for f.looked+interval <= upTo {
		f.looked += interval
		if err := f.checkpoint(f.looked); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint tells how far a filtered subscription has come. They only go forward.
func (f *follower) checkpoint(p domain.Position) error {
	if p <= f.told {
		return nil
	}
	f.told = p
	return f.call.Send(&pb.ReadResp{Content: &pb.ReadResp_Checkpoint_{
		Checkpoint: &pb.ReadResp_Checkpoint{CommitPosition: uint64(p), PreparePosition: uint64(p)},
	}})
}

// caughtUpAt makes the message with the fields that newer clients expect and the
// generated code does not know: when, and how far.
func (f *follower) caughtUpAt(p domain.Position) *pb.ReadResp_CaughtUp {
	now := time.Now()
	var at, b []byte
	at = protowire.AppendVarint(protowire.AppendTag(at, 1, protowire.VarintType), uint64(now.Unix()))       //nolint:gosec // after 1970
	at = protowire.AppendVarint(protowire.AppendTag(at, 2, protowire.VarintType), uint64(now.Nanosecond())) //nolint:gosec // positive
	b = protowire.AppendBytes(protowire.AppendTag(b, 1, protowire.BytesType), at)
	if f.stream == AllStream {
		var pos []byte
		for field := range protowire.Number(2) {
			pos = protowire.AppendVarint(protowire.AppendTag(pos, field+1, protowire.VarintType), uint64(p))
		}
		b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), pos)
	} else if f.revision >= 0 && f.revision < streams.End {
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(f.revision)) //nolint:gosec // bits
	}
	m := &pb.ReadResp_CaughtUp{}
	m.ProtoReflect().SetUnknown(b)
	return m
}
