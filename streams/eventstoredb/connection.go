package eventstoredb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	features "github.com/EventStore/EventStore-Client-Go/v4/protos/serverfeatures"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"strata/streams"
)

// node is the server that calls go to, until it fails.
type node struct {
	address string
	conn    *grpc.ClientConn
	streams pb.StreamsClient
	batches *batches    // nil: it takes single appends only
	single  atomic.Bool // it turned out to take single appends only
	stop    context.CancelFunc
}

// close ends every call that is under way on the node.
func (n *node) close() {
	n.stop()
	_ = n.conn.Close() // its only error is that it is closed
}

// connector keeps the connection to one node. It looks for one when somebody
// needs it, until there is one, however long that takes.
type connector struct {
	cfg *esdb.Configuration
	log *slog.Logger
	ctx context.Context // ends with the store

	dialing []grpc.DialOption // see Options

	mu      sync.Mutex
	current *node
	search  chan struct{} // closed when the search that runs has found a node; nil without one
	leader  string        // the node to try first, named by one that does not lead
	why     error         // what the last attempt to find one failed with
	work    sync.WaitGroup
}

func newConnector(ctx context.Context, cfg *esdb.Configuration, opts *Options) *connector {
	c := &connector{cfg: cfg, log: opts.Logger, ctx: ctx, dialing: opts.dialing}
	context.AfterFunc(ctx, func() { c.drop(nil, "", nil) })
	return c
}

// get returns the node to call, and waits for one as long as ctx.
func (c *connector) get(ctx context.Context) (*node, error) {
	for {
		n, search, err := c.look()
		if n != nil || err != nil {
			return n, err
		}
		select {
		case <-search:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.ctx.Done():
			return nil, streams.ErrClosed
		}
	}
}

// look returns the node there is, or the search for one.
func (c *connector) look() (*node, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, nil, streams.ErrClosed
	}
	if c.current == nil && c.search == nil {
		c.search = make(chan struct{})
		c.work.Go(c.find)
	}
	return c.current, c.search, nil
}

// trouble tells why there is no node.
func (c *connector) trouble() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil || c.why == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", streams.ErrUnavailable, c.why)
}

// drop gives up a node that failed; nil is any, when the store is closed. Calls
// under way on it end, and find the next one. leader is where to look first.
func (c *connector) drop(n *node, leader string, why error) {
	c.mu.Lock()
	dropped := c.current
	if dropped == nil || n != nil && n != dropped {
		c.mu.Unlock()
		return
	}
	c.current, c.leader, c.why = nil, leader, why
	c.mu.Unlock()
	dropped.close()
	if why != nil {
		c.log.Warn("the connection to the event store is lost", "node", dropped.address, "leader", leader, "error", why)
	}
}

// wait returns when nothing runs any more.
func (c *connector) wait() {
	c.drop(nil, "", nil)
	c.work.Wait()
}

// The pauses between attempts grow from first to last.
const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
)

// pause waits before the n-th try again, from 0, and tells whether ctx let it.
func pause(ctx context.Context, n int) bool {
	d := min(firstPause<<min(n, 10), lastPause)
	timer := time.NewTimer(d/2 + rand.N(d)) // not all at the same moment
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// find looks for a node until there is one.
func (c *connector) find() {
	started := time.Now()
	for try := 0; ; try++ {
		n, err := c.round()
		c.mu.Lock()
		if err == nil && c.ctx.Err() == nil {
			found := c.search
			c.current, c.search, c.leader, c.why = n, nil, "", nil
			close(found)
			c.mu.Unlock()
			c.log.Info("connected to the event store", "node", n.address, "batches", n.batches != nil, "after", time.Since(started).Round(time.Millisecond))
			return
		}
		c.leader, c.why = "", err
		c.mu.Unlock()
		if err == nil {
			n.close()
			return
		}
		if try == 0 || try%30 == 0 {
			c.log.Warn("the event store is not reachable", "error", err)
		}
		if !pause(c.ctx, try) {
			return
		}
	}
}

// round tries every candidate once.
func (c *connector) round() (*node, error) {
	c.mu.Lock()
	leader := c.leader
	c.mu.Unlock()
	var errs []error
	if leader != "" {
		n, err := c.try(leader, false)
		if err == nil {
			return n, nil
		}
		errs = append(errs, err)
	}
	candidates, cluster := candidates(c.cfg)
	for _, address := range candidates {
		n, err := c.try(address, cluster)
		if err == nil {
			return n, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// try connects to a node, or to the one that it recommends.
func (c *connector) try(address string, ask bool) (_ *node, err error) {
	ctx, cancel := context.WithTimeout(c.ctx, time.Duration(c.cfg.GossipTimeout)*time.Second)
	defer cancel()
	conn, err := dial(c.cfg, address, c.dialing)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = conn.Close() // it was never used
			if status.Code(err) == codes.Unauthenticated {
				err = fmt.Errorf("%w: %w", ErrCredentials, err)
			}
			err = fmt.Errorf("%s: %w", address, err)
		}
	}()
	if ask {
		best, err := recommended(ctx, conn, c.cfg.NodePreference)
		if err != nil {
			return nil, err
		}
		if best != address {
			_ = conn.Close() // it was used for one question
			if conn, err = dial(c.cfg, best, c.dialing); err != nil {
				return nil, err
			}
			address = best
		}
	}
	batches, err := takesBatches(ctx, conn)
	if err != nil {
		return nil, err
	}
	n := &node{address: address, conn: conn, streams: pb.NewStreamsClient(conn)}
	life, stop := context.WithCancel(c.ctx)
	n.stop = stop
	if batches {
		n.batches = newBatches(life, n.streams, &c.work)
	}
	return n, nil
}

// takesBatches asks a server whether it knows BatchAppend. One that does not
// even know the question does not.
func takesBatches(ctx context.Context, conn *grpc.ClientConn) (bool, error) {
	known, err := features.NewServerFeaturesClient(conn).GetSupportedMethods(ctx, &shared.Empty{})
	if code := status.Code(err); code == codes.Unimplemented || code == codes.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, m := range known.GetMethods() {
		if m.GetServiceName() == "event_store.client.streams.streams" && m.GetMethodName() == "batchappend" {
			return true, nil
		}
	}
	return false, nil
}
