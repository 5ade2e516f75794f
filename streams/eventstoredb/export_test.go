package eventstoredb

import (
	"context"

	"google.golang.org/grpc"
)

// AppendSingly makes a store send its appends one by one, as to a server that
// knows no batches, as long as its connection holds.
func AppendSingly(ctx context.Context, s *Store) error {
	n, err := s.conn.get(ctx)
	if err == nil {
		n.single.Store(true)
	}
	return err
}

// Dialing are options of stores whose connections are made with more settings.
func Dialing(o Options, more ...grpc.DialOption) Options {
	o.dialing = more
	return o
}
