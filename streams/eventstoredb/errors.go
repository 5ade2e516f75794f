package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"strata/domain"
	"strata/streams"
)

// Trailers that say what a status means.
const (
	trailerException = "exception"
	trailerActual    = "actual-version"
	trailerHost      = "leader-endpoint-host"
	trailerPort      = "leader-endpoint-port"

	exceptionDeleted   = "stream-deleted"
	exceptionNotLeader = "not-leader"
	exceptionWrong     = "wrong-expected-version"
	exceptionTooLarge  = "maximum-append-size-exceeded"
)

// unary is one call with the trailers of its answer.
type unary struct {
	ctx      context.Context
	cancel   context.CancelFunc
	trailers metadata.MD
}

func newUnary(ctx context.Context) *unary {
	u := &unary{}
	u.ctx, u.cancel = context.WithCancel(ctx)
	return u
}

func (u *unary) options() []grpc.CallOption { return []grpc.CallOption{grpc.Trailer(&u.trailers)} }

func (u *unary) fault(err error) error { return fault(err, u.trailers) }

// notLeader says that another node takes writes.
type notLeader struct {
	leader string // its address; "" when the node does not know
	cause  error
}

func (e *notLeader) Error() string { return fmt.Sprintf("not the leader, which is %q", e.leader) }
func (e *notLeader) Unwrap() error { return e.cause }

// fault makes the port's error of a call's error. What it does not know stays a
// gRPC status.
func fault(err error, trailers metadata.MD) error {
	switch first(trailers, trailerException) {
	case exceptionDeleted:
		return fmt.Errorf("%w: %w", streams.ErrTombstoned, err)
	case exceptionNotLeader:
		e := &notLeader{cause: err}
		if host := first(trailers, trailerHost); host != "" {
			e.leader = net.JoinHostPort(host, first(trailers, trailerPort))
		}
		return e
	case exceptionWrong:
		actual, parseErr := strconv.ParseInt(first(trailers, trailerActual), 10, 64)
		if parseErr != nil { // a stream without events has none
			actual = int64(domain.NoRevision)
		}
		return &streams.WrongRevision{Actual: domain.Revision(actual)}
	case exceptionTooLarge:
		return fmt.Errorf("%w: %w", streams.ErrTooLarge, err)
	}
	if s, is := status.FromError(err); is && s.Code() == codes.ResourceExhausted {
		return exhausted(s)
	}
	return err
}

// exhausted tells what a server has too little of: gRPC itself says so of a
// message that is too large, a store of its disk.
func exhausted(s *status.Status) error {
	if strings.Contains(s.Message(), "larger than max") {
		return fmt.Errorf("%w: %w", streams.ErrTooLarge, s.Err())
	}
	return fmt.Errorf("%w: %w", streams.ErrFull, s.Err())
}

func first(md metadata.MD, key string) string {
	if v := md.Get(key); len(v) > 0 {
		return v[0]
	}
	return ""
}

// refusal reads why a batch was refused.
func (a *pendingAppend) refusal(s *rpc.Status) error {
	cause := status.ErrorProto(s)
	for _, detail := range s.GetDetails() {
		m, err := detail.UnmarshalNew()
		if err != nil {
			return fmt.Errorf("append to %s: %w", a.stream, cause)
		}
		switch m := m.(type) {
		case *shared.WrongExpectedVersion:
			actual := domain.NoRevision
			if _, is := m.GetCurrentStreamRevisionOption().(*shared.WrongExpectedVersion_CurrentStreamRevision); is {
				actual = domain.Revision(m.GetCurrentStreamRevision())
			}
			return &streams.WrongRevision{Stream: a.stream, Expected: a.expected, Actual: actual}
		case *shared.StreamDeleted:
			return fmt.Errorf("%w: %w", streams.ErrTombstoned, cause)
		case *shared.MaximumAppendSizeExceeded:
			return fmt.Errorf("%w: the server takes %d bytes", streams.ErrTooLarge, m.GetMaxAppendSize())
		case *shared.BadRequest:
			return fmt.Errorf("%w: %s", streams.ErrInvalid, m.GetMessage())
		case *shared.Timeout: // whether it was written is not known
			return status.Error(codes.Aborted, "the server did not write in time")
		}
	}
	if s.GetCode() == int32(codes.ResourceExhausted) {
		return exhausted(status.FromProto(s))
	}
	return fmt.Errorf("append to %s: %w", a.stream, cause)
}

// lost tells whether a call has to be made again, since its error is none of
// what was asked but of the connection or the node; and where to, if that is known.
func lost(ctx context.Context, err error) (again bool, leader string) {
	if err == nil || ctx.Err() != nil {
		return false, ""
	}
	if other, is := errors.AsType[*notLeader](err); is {
		return true, other.leader
	}
	if errors.Is(err, errLostStream) {
		return true, ""
	}
	s, is := status.FromError(err)
	if !is {
		return false, ""
	}
	switch s.Code() {
	case codes.Unavailable, codes.Aborted, codes.DeadlineExceeded, codes.Canceled:
		return true, "" // Canceled is the node's: our own context has not ended
	}
	return false, ""
}

// isAnswer tells whether an error is what a server said, over a connection that
// works: then it is asked again, and not left.
func isAnswer(err error) bool {
	code := status.Code(err)
	return code == codes.Aborted || code == codes.DeadlineExceeded
}
