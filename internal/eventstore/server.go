package eventstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/gossip"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"strata/internal/eventstore/access"
	"strata/internal/eventstore/eslog"
	"strata/streams/embedded"
)

// Options configure a server. The zero value of every field but Log means its
// default.
type Options struct {
	// Log is what is served. The server does not close it.
	Log *embedded.Log
	// Advertise is the address, host:port, that clients are told to dial.
	// Default: the one each of them has dialled already.
	Advertise string
	// MaxAppendSize limits the data of one append, in bytes. Default 1 MiB, as
	// in EventStoreDB.
	MaxAppendSize int
	// TLS is the transport's security. Default: none.
	TLS *tls.Config
	// Users makes rights depend on who calls; see package access. It needs TLS:
	// clients send no password without. Default: everybody may do everything.
	Users bool
	// Services make what is served beside the server's own services.
	Services []func(*Server) (Service, error)
	// Logger hears of what went wrong inside. Default: nothing is logged.
	Logger *slog.Logger
}

// Service is a gRPC service on the server's port.
type Service interface {
	// Register registers the service.
	Register(r grpc.ServiceRegistrar)
	// Features names the methods that clients may rely on.
	Features() []*serverfeatures.SupportedMethod
	// Close is called when no call is being served any more, before the log
	// closes.
	Close() error
}

const defaultMaxAppendSize = 1 << 20

// maxMessage is what clients accept and send at most.
const maxMessage = 17 << 20

// Server serves one log.
type Server struct {
	opts     Options
	log      *eslog.Log
	grpc     *grpc.Server
	instance uuid.UUID
	ops      *operationsService
	access   *access.Control // nil: everybody may do everything
	services []Service       // beside its own

	stopping chan struct{} // closed when Stop begins
	stopOnce sync.Once
}

// New prepares a server.
func New(o Options) (*Server, error) {
	if o.Log == nil {
		return nil, errors.New("eventstore: no log to serve")
	}
	if o.MaxAppendSize < 0 || o.MaxAppendSize > maxMessage {
		return nil, fmt.Errorf("eventstore: MaxAppendSize is %d, not within 0 and %d", o.MaxAppendSize, maxMessage)
	}
	if o.MaxAppendSize == 0 {
		o.MaxAppendSize = defaultMaxAppendSize
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{opts: o, log: eslog.New(o.Log), instance: uuid.New(), stopping: make(chan struct{})}
	if o.Users {
		var err error
		if s.access, err = access.New(s.log); err != nil {
			return nil, fmt.Errorf("eventstore: %w", err)
		}
	}
	s.grpc = grpc.NewServer(s.transport()...)
	streams.RegisterStreamsServer(s.grpc, &streamsService{server: s})
	gossip.RegisterGossipServer(s.grpc, &gossipService{server: s})
	serverfeatures.RegisterServerFeaturesServer(s.grpc, &featuresService{server: s})
	scavenges, err := embedded.NewScavenges(o.Log)
	if err != nil {
		return nil, fmt.Errorf("eventstore: %w", err)
	}
	s.ops = &operationsService{server: s, scavenges: scavenges}
	s.ops.register(s.grpc)
	for _, makes := range o.Services {
		svc, err := makes(s)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("eventstore: %w", err), s.closeServices())
		}
		svc.Register(s.grpc)
		s.services = append(s.services, svc)
	}
	return s, nil
}

func (s *Server) closeServices() error {
	var faults []error
	for _, svc := range s.services {
		faults = append(faults, svc.Close())
	}
	return errors.Join(faults...)
}

// transport are the settings that official clients need: they ping every ten
// seconds, also without a call, and send batches of several megabytes.
func (s *Server) transport() []grpc.ServerOption {
	out := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxSendMsgSize(maxMessage),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 10 * time.Second, Timeout: 10 * time.Second}),
		grpc.ChainUnaryInterceptor(s.unary),
		grpc.ChainStreamInterceptor(s.stream),
	}
	if s.opts.TLS != nil {
		out = append(out, grpc.Creds(credentials.NewTLS(s.opts.TLS)))
	}
	return out
}

// Log returns the log that is served, with EventStoreDB's rules.
func (s *Server) Log() *eslog.Log { return s.log }

// Access returns what decides over users and rights; nil without Options.Users.
func (s *Server) Access() *access.Control { return s.access }

// Serve answers calls on a listener until Stop, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	err := s.grpc.Serve(l)
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// Stop ends the server: no more calls are taken, subscriptions end with
// "unavailable", so that clients look for another server, and what else is being
// answered is finished, or cut off when ctx ends.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.grpc.GracefulStop()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		s.grpc.Stop()
		<-done
	}
	return errors.Join(s.ops.scavenges.Stop(), s.closeServices())
}

// UntilStop returns a context for a call that may last for ever: it also ends
// when the server stops. What the call then returns becomes "unavailable".
func (s *Server) UntilStop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-s.stopping:
			cancel(errStopping)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

var errStopping = &Fault{Code: codes.Unavailable, Message: "the server is stopping"}
