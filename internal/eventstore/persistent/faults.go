package persistent

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"

	"strata/domain"
	"strata/internal/eventstore"
	"strata/streams"
)

// fault is an error about a group, under the name that clients know.
func fault(key Key, code codes.Code, name, message string, trailer ...string) *eventstore.Fault {
	return &eventstore.Fault{Code: code, Message: message, Trailer: append([]string{
		"exception", name, "stream-name", key.Stream, "group-name", key.Group,
	}, trailer...)}
}

// translate turns an error about a group into what clients see. Others it
// leaves to the server.
func translate(ctx context.Context, key Key, err error) error {
	group := "Subscription group " + key.Group + " on stream " + key.Stream
	stopping, ours := &eventstore.Fault{}, &domain.Error{}
	switch {
	case err == nil:
		return nil
	case errors.As(context.Cause(ctx), &stopping):
		return stopping
	case errors.Is(err, ErrMissing):
		return fault(key, codes.NotFound, "persistent-subscription-does-not-exist", group+" does not exist.")
	case errors.Is(err, ErrExists):
		return fault(key, codes.AlreadyExists, "persistent-subscription-exists", group+" exists.")
	case errors.Is(err, ErrFull):
		return fault(key, codes.FailedPrecondition, "maximum-subscribers-reached",
			"Maximum subscriptions reached for subscription group "+key.Group+" on stream "+key.Stream+".")
	case errors.Is(err, ErrDropped):
		return fault(key, codes.Canceled, "persistent-subscription-dropped", group+" was dropped.")
	case errors.Is(err, ErrStopped), errors.Is(err, streams.ErrClosed):
		return &eventstore.Fault{Code: codes.Unavailable, Message: "the server is stopping"}
	case errors.Is(err, context.DeadlineExceeded):
		return &eventstore.Fault{Code: codes.DeadlineExceeded, Message: "the call's deadline has passed"}
	case errors.Is(err, context.Canceled):
		return &eventstore.Fault{Code: codes.Canceled, Message: "the call was cancelled"}
	case errors.Is(err, streams.ErrFull):
		return &eventstore.Fault{Code: codes.ResourceExhausted, Message: err.Error()}
	case errors.As(err, &ours):
		return fault(key, codes.Internal, "persistent-subscription-failed", group+" failed: '"+err.Error()+"'", "reason", err.Error())
	}
	return err
}
