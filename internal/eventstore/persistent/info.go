package persistent

import (
	"cmp"
	"context"
	"slices"
	"time"

	"strata/domain"
)

// Info is what there is to know of a group.
type Info struct {
	Key         Key
	Settings    Settings
	Status      string // "Live" or "Behind"
	Connections []ConnectionInfo
	Figures

	Checkpoint    int64 // place of the last checkpoint; meaningless without HasCheckpoint
	HasCheckpoint bool
	LastKnown     int64 // place of the last event of the source; -1 when it has none
	ReadBuffer    int   // read, waiting for their first consumer
	RetryBuffer   int   // waiting to be handed out again
	InFlight      int   // handed out, not answered
	Outstanding   int   // those and the ones on their way to being parked
	Parked        int64 // parked and not handed out again
}

// Figures count answers.
type Figures struct {
	Total     int64
	PerSecond int   // on average since the group or consumer came
	Last      int64 // in the last full second
}

// ConnectionInfo is what there is to know of a consumer.
type ConnectionInfo struct {
	From, User, Name string
	Figures
	Measurements []Measurement // how long answers took, if the settings want it
	Free         int
	InFlight     int
}

// Info tells about one group.
//
// Errors: ErrMissing, ErrStopped, those of the log.
func (g *Groups) Info(ctx context.Context, key Key) (Info, error) {
	r, err := g.find(key)
	if err != nil {
		return Info{}, err
	}
	return r.info(ctx)
}

// List tells about all groups, or those of one stream, ordered by name.
//
// Errors: ErrMissing when there are none on that stream, those of the log.
func (g *Groups) List(ctx context.Context, stream string) ([]Info, error) {
	g.mu.RLock()
	var list []*runner
	for key, r := range g.running {
		if stream == "" || key.Stream == stream {
			list = append(list, r)
		}
	}
	g.mu.RUnlock()
	if len(list) == 0 && stream != "" {
		return nil, ErrMissing
	}
	slices.SortFunc(list, func(a, b *runner) int { return cmp.Compare(a.key.String(), b.key.String()) })
	out := make([]Info, 0, len(list))
	for _, r := range list {
		i, err := r.info(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, nil
}

func (r *runner) info(ctx context.Context) (Info, error) {
	last, err := r.lastKnown(ctx)
	if err != nil {
		return Info{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g, now := r.group, r.clock()
	i := Info{
		Key: r.key, Settings: g.settings, Status: "Behind", LastKnown: last,
		Figures: g.stats.figures(now), Checkpoint: g.source.marked, HasCheckpoint: !r.noCheckpoint,
		ReadBuffer: len(g.fresh), RetryBuffer: len(g.again), InFlight: g.given,
		Outstanding: g.given + g.parking.len(), Parked: max(0, r.parkedNext-r.replayNext),
	}
	if g.live && len(g.fresh) == 0 {
		i.Status = "Live"
	}
	for _, c := range g.consumers {
		i.Connections = append(i.Connections, ConnectionInfo{
			From: c.from, User: c.user, Name: c.name, Figures: c.stats.figures(now),
			Measurements: c.stats.measurements(), Free: max(0, c.slots-c.count), InFlight: c.count,
		})
	}
	return i, nil
}

func (r *runner) lastKnown(ctx context.Context) (int64, error) {
	if r.key.Stream == All {
		head, err := r.log.Embedded().Head(ctx)
		return int64(head), err //nolint:gosec // positions count events
	}
	st, err := r.log.Embedded().StreamState(ctx, domain.StreamID(r.key.Stream))
	return int64(st.Last), err
}

func (s *stats) figures(now time.Time) Figures {
	s.roll(now)
	f := Figures{Total: s.total, Last: s.last}
	if t := now.Sub(s.since).Seconds(); t > 0 {
		f.PerSecond = int(float64(s.total) / max(t, 1))
	}
	return f
}
