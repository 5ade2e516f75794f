package eventstoredb

import "context"

// AppendSingly makes a store send its appends one by one, as to a server that
// knows no batches, as long as its connection holds.
func AppendSingly(ctx context.Context, s *Store) error {
	n, err := s.conn.get(ctx)
	if err == nil {
		n.single.Store(true)
	}
	return err
}
