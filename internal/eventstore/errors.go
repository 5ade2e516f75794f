package eventstore

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// Names of errors, as clients know them, in the trailer "exception".
const (
	excAccessDenied      = "access-denied"
	excStreamDeleted     = "stream-deleted"
	excWrongVersion      = "wrong-expected-version"
	excTooLarge          = "maximum-append-size-exceeded"
	excMissingProperty   = "missing-required-metadata-property"
	trailerException     = "exception"
	trailerStream        = "stream-name"
	trailerExpected      = "expected-version"
	trailerActual        = "actual-version"
	trailerMaxAppendSize = "maximum-append-size"
)

// Fault is an error as clients see it: a gRPC status, with trailers that say more.
type Fault struct {
	Code    codes.Code
	Message string
	Trailer []string // keys and values, in turn
}

// Error implements error.
func (f *Fault) Error() string { return f.Message }

// GRPCStatus makes gRPC answer with the fault's code.
func (f *Fault) GRPCStatus() *status.Status { return status.New(f.Code, f.Message) }

// Invalid is the fault of a request that cannot be right.
func Invalid(message string) *Fault { return &Fault{Code: codes.InvalidArgument, Message: message} }

func exception(code codes.Code, name, message string, trailer ...string) *Fault {
	return &Fault{Code: code, Message: message, Trailer: append([]string{trailerException, name}, trailer...)}
}

func streamDeleted(stream domain.StreamID) *Fault {
	return exception(codes.FailedPrecondition, excStreamDeleted,
		"Event stream '"+string(stream)+"' is deleted.", trailerStream, string(stream))
}

func wrongVersion(w *streams.WrongRevision) *Fault {
	actual := ""
	if w.Actual >= 0 {
		actual = strconv.FormatInt(int64(w.Actual), 10)
	}
	expected := strconv.FormatInt(wireExpected(w.Expected), 10)
	return exception(codes.FailedPrecondition, excWrongVersion,
		"Append failed due to WrongExpectedVersion. Stream: "+string(w.Stream)+", Expected version: "+expected+", Actual version: "+actual,
		trailerStream, string(w.Stream), trailerExpected, expected, trailerActual, actual)
}

func (s *Server) tooLarge() *Fault {
	limit := strconv.Itoa(s.opts.MaxAppendSize)
	return exception(codes.InvalidArgument, excTooLarge, "Maximum Append Size of "+limit+" Exceeded.", trailerMaxAppendSize, limit)
}

// fault turns any error of a call about a stream into what the client sees.
func (s *Server) fault(ctx context.Context, stream domain.StreamID, err error) error {
	var f *Fault
	var wrong *streams.WrongRevision
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.As(context.Cause(ctx), &f):
		return f
	case errors.As(err, &wrong):
		return wrongVersion(wrong)
	case errors.Is(err, streams.ErrTombstoned), errors.Is(err, eslog.ErrDeleted):
		return streamDeleted(stream)
	case errors.Is(err, streams.ErrTooLarge):
		return s.tooLarge()
	case errors.Is(err, streams.ErrInvalid):
		return Invalid(err.Error())
	case errors.Is(err, streams.ErrFull):
		return &Fault{Code: codes.ResourceExhausted, Message: streams.ErrFull.Error()}
	case errors.Is(err, streams.ErrClosed):
		return &Fault{Code: codes.Unavailable, Message: "the event log is closed"}
	case errors.Is(err, context.DeadlineExceeded):
		return &Fault{Code: codes.DeadlineExceeded, Message: "the call's deadline has passed"}
	case errors.Is(err, context.Canceled):
		return &Fault{Code: codes.Canceled, Message: "the call was cancelled"}
	}
	return err
}

// unary identifies the caller, sends the trailers of a fault, and hides what is
// nobody's business.
func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	ctx, err := s.identify(ctx)
	if err != nil {
		return nil, s.answer(ctx, info.FullMethod, err)
	}
	resp, err := handler(ctx, req)
	return resp, s.answer(ctx, info.FullMethod, err)
}

func (s *Server) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := s.identify(ss.Context())
	if err == nil {
		err = handler(srv, &identified{ServerStream: ss, ctx: ctx})
	}
	if err != nil && info.IsClientStream && !info.IsServerStream {
		drain(ss)
	}
	return s.answer(ctx, info.FullMethod, err)
}

// maxDrained bounds what is read of a call that has failed already.
const maxDrained = 4 * maxMessage

// drain reads what the client still sends of a call that has failed: one that is
// cut off while it sends takes the broken stream for the error.
func drain(ss grpc.ServerStream) {
	for size := 0; size < maxDrained; {
		m := &shared.Empty{} // whatever comes is kept as unknown
		if ss.RecvMsg(m) != nil {
			return
		}
		size += proto.Size(m)
	}
}

// answer ends a call.
func (s *Server) answer(ctx context.Context, method string, err error) error {
	if err == nil {
		return nil
	}
	var f *Fault
	if errors.As(err, &f) {
		if len(f.Trailer) > 0 {
			if terr := grpc.SetTrailer(ctx, metadata.Pairs(headerSafe(f.Trailer)...)); terr != nil {
				s.opts.Logger.Warn("could not send the trailers of an error", "method", method, "error", terr)
			}
		}
		return f
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	s.opts.Logger.Error("a call failed", "method", method, "error", err)
	return &Fault{Code: codes.Internal, Message: "internal error"}
}

// headerSafe replaces what would break the connection: names of streams may hold
// anything, headers no control characters.
func headerSafe(values []string) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return '?'
			}
			return r
		}, v)
	}
	return out
}
