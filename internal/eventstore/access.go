package eventstore

import (
	"context"

	"strata/domain"
	"strata/internal/eventstore/eslog"
)

// AllStream is the name under which rights over the whole log are asked for.
const AllStream domain.StreamID = "$all"

// Authorize tells whether the caller has a right over a stream. Its error is a
// *Fault. A server without users lets everybody do everything.
func (s *Server) Authorize(_ context.Context, _ domain.StreamID, _ eslog.Right) error { return nil }
