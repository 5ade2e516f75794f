package eventstore

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"strata/domain"
	"strata/internal/eventstore/access"
	"strata/internal/eventstore/eslog"
)

// AllStream is the name under which rights over the whole log are asked for.
const AllStream domain.StreamID = "$all"

// principalKey is the key of the caller in a call's context.
type principalKey struct{}

// Caller tells who makes a call.
func Caller(ctx context.Context) access.Principal {
	p, _ := ctx.Value(principalKey{}).(access.Principal)
	return p
}

// identify finds out who makes a call. Wrong credentials end it; none do not.
func (s *Server) identify(ctx context.Context) (context.Context, error) {
	if s.access == nil {
		return ctx, nil
	}
	md, _ := metadata.FromIncomingContext(ctx)
	given := md.Get("authorization")
	if len(given) == 0 {
		return ctx, nil
	}
	name, password, ok := parseBasic(given[0])
	if !ok {
		return ctx, errUnauthenticated
	}
	p, err := s.access.Authenticate(ctx, name, password)
	if errors.Is(err, access.ErrWrongPassword) {
		return ctx, errUnauthenticated
	}
	if err != nil {
		return ctx, s.fault(ctx, "", err)
	}
	return context.WithValue(ctx, principalKey{}, p), nil
}

// parseBasic reads the value of a header "authorization".
func parseBasic(header string) (name, password string, ok bool) {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "basic") {
		return "", "", false
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", false
	}
	return strings.Cut(string(b), ":")
}

var errUnauthenticated = &Fault{Code: codes.Unauthenticated, Message: "Not Authenticated"}

// Authorize tells whether the caller has a right over a stream. Its error is a
// *Fault. A server without access control lets everybody do everything.
func (s *Server) Authorize(ctx context.Context, stream domain.StreamID, right eslog.Right) error {
	if s.access == nil {
		return nil
	}
	ok, err := s.access.Allowed(ctx, Caller(ctx), stream, right)
	if err != nil {
		return s.fault(ctx, stream, err)
	}
	if !ok {
		return errAccessDenied()
	}
	return nil
}

// AuthorizeOperator tells whether the caller may look after the server itself.
func (s *Server) AuthorizeOperator(ctx context.Context) error {
	who := Caller(ctx)
	if s.access == nil || who.In(access.Admins) || who.In(access.Operators) {
		return nil
	}
	return errAccessDenied()
}

func errAccessDenied() *Fault {
	return exception(codes.PermissionDenied, excAccessDenied, "Access Denied")
}

// identified is a call whose context knows who makes it.
type identified struct {
	grpc.ServerStream
	ctx context.Context
}

// Context returns the call's context.
func (i *identified) Context() context.Context { return i.ctx }
