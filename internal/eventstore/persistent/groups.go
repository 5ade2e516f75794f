package persistent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// Errors of the operations on groups.
var (
	// ErrExists: there is a group under that name.
	ErrExists = errors.New("subscription group exists")
	// ErrMissing: there is no group under that name.
	ErrMissing = errors.New("subscription group does not exist")
	// ErrStopped: the server is stopping.
	ErrStopped = errors.New("the server is stopping")
)

// Options are what Groups may be given. The zero value of every field means its
// default.
type Options struct {
	Clock  func() time.Time // default: time.Now
	Logger *slog.Logger     // default: nothing is logged
}

// Groups are all groups of a log. It is safe for concurrent use.
type Groups struct {
	log    *eslog.Log
	clock  func() time.Time
	logger *slog.Logger

	changing sync.Mutex // held by whoever changes the configuration
	mu       sync.RWMutex
	running  map[Key]*runner
	stopped  bool
}

// entry is one group in the configuration.
type entry struct {
	Stream   string   `json:"stream"`
	Group    string   `json:"group"`
	Settings Settings `json:"settings"`
	// Floor is where the group begins while it has no checkpoint: everything up to
	// there is of no interest.
	Floor int64 `json:"floor"`
}

// configuration is all groups, as one event says it.
type configuration struct {
	Version int     `json:"version"`
	Entries []entry `json:"entries"`
}

const (
	configStream  domain.StreamID = "$persistentSubscriptionConfig"
	configType    string          = "$PersistentSubscriptionConfig"
	configVersion int             = 3
)

// Open reads the configuration from the log and runs the groups. Close must be
// called before the log is closed.
func Open(ctx context.Context, log *eslog.Log, o Options) (*Groups, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Groups{log: log, clock: o.Clock, logger: o.Logger, running: map[Key]*runner{}}
	if err := g.load(ctx); err != nil {
		g.Close()
		return nil, err
	}
	return g, nil
}

// load runs every group of the configuration.
func (g *Groups) load(ctx context.Context) error {
	for rec, err := range g.log.ReadStream(ctx, configStream, eslog.ReadStream{From: streams.End, Backwards: true, Limit: 1}) {
		if errors.Is(err, streams.ErrStreamNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the configuration of persistent subscriptions: %w", err)
		}
		var c configuration
		if err := json.Unmarshal(rec.Data, &c); err != nil {
			return fmt.Errorf("configuration of persistent subscriptions: %w", err)
		}
		if c.Version != configVersion {
			return fmt.Errorf("configuration of persistent subscriptions has version %d, only %d is known", c.Version, configVersion)
		}
		for _, e := range c.Entries {
			if err := g.run(ctx, e); err != nil {
				return fmt.Errorf("persistent subscription %s on %s: %w", e.Group, e.Stream, err)
			}
		}
	}
	return nil
}

// run starts a group.
func (g *Groups) run(ctx context.Context, e entry) error {
	key := Key{e.Stream, e.Group}
	r, err := startRunner(ctx, key, e, g.log, g.clock, g.logger)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running[key] = r
	return nil
}

// save writes the configuration: what runs, changed by the caller.
func (g *Groups) save(ctx context.Context, change func(map[Key]entry)) error {
	entries := map[Key]entry{}
	g.mu.RLock()
	for key, r := range g.running {
		entries[key] = r.entry
	}
	g.mu.RUnlock()
	change(entries)
	c := configuration{Version: configVersion, Entries: make([]entry, 0, len(entries))}
	for _, e := range entries {
		c.Entries = append(c.Entries, e)
	}
	slices.SortFunc(c.Entries, func(a, b entry) int {
		return strings.Compare(Key{a.Stream, a.Group}.String(), Key{b.Stream, b.Group}.String())
	})
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode the configuration of persistent subscriptions: %w", err)
	}
	res, err := g.log.Append(ctx, configStream, streams.Any,
		[]eslog.Event{{ID: domain.NewEventID(), Type: configType, ContentType: eslog.ContentJSON, Data: data}})
	if err != nil {
		return fmt.Errorf("save the configuration of persistent subscriptions: %w", err)
	}
	if res.Last == 0 { // only the last one counts, the others need not be kept
		_, err = g.log.Append(ctx, eslog.MetadataStream(configStream), streams.Any, []eslog.Event{metadataEvent(eslog.KeyMaxCount, 2)})
	}
	return err
}

func (g *Groups) find(key Key) (*runner, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.stopped {
		return nil, ErrStopped
	}
	r := g.running[key]
	if r == nil {
		return nil, ErrMissing
	}
	return r, nil
}

// Create makes a group. The stream need not exist.
//
// Errors: ErrExists, a domain error that names the fields of bad settings, those
// of the log.
func (g *Groups) Create(ctx context.Context, key Key, s Settings) error {
	if err := s.validate(); err != nil {
		return err
	}
	var f domain.Faults
	f.Add(key.Stream == "", "stream_identifier", "must not be empty")
	f.Add(key.Group == "", "group_name", "must not be empty")
	if s.Filter != nil {
		_, err := eslog.NewFilter(s.Filter.ByType, s.Filter.Regex, s.Filter.Prefixes)
		f.Add(err != nil, "filter", "%v", err)
	}
	if err := f.Err(); err != nil {
		return err
	}
	g.changing.Lock()
	defer g.changing.Unlock()
	switch _, err := g.find(key); {
	case err == nil:
		return ErrExists
	case !errors.Is(err, ErrMissing):
		return err
	}
	// What a deletion that a crash cut short left behind is of another group.
	if err := g.clear(ctx, key); err != nil {
		return err
	}
	e := entry{Stream: key.Stream, Group: key.Group, Settings: s}
	var err error
	if e.Floor, err = g.floor(ctx, key, s.StartFrom); err != nil {
		return err
	}
	if err := g.save(ctx, func(m map[Key]entry) { m[key] = e }); err != nil {
		return err
	}
	return g.run(ctx, e)
}

// floor is the place before a start.
func (g *Groups) floor(ctx context.Context, key Key, from int64) (int64, error) {
	switch {
	case from == FromEnd && key.Stream == All:
		head, err := g.log.Embedded().Head(ctx)
		return int64(head), err //nolint:gosec // positions count events
	case from == FromEnd:
		st, err := g.log.Embedded().StreamState(ctx, domain.StreamID(key.Stream))
		return int64(st.Last), err
	case key.Stream == All:
		return max(from-1, 0), nil // positions begin at 1
	}
	return from - 1, nil
}

// Update gives a group other settings and sends its consumers away. It goes on
// where it is; another start counts only while the group has no checkpoint. The
// filter stays.
//
// Errors: ErrMissing, and those of Create.
func (g *Groups) Update(ctx context.Context, key Key, s Settings) error {
	if err := s.validate(); err != nil {
		return err
	}
	g.changing.Lock()
	defer g.changing.Unlock()
	r, err := g.find(key)
	if err != nil {
		return err
	}
	e := r.entry
	s.Filter = e.Settings.Filter
	if s.StartFrom != e.Settings.StartFrom {
		if e.Floor, err = g.floor(ctx, key, s.StartFrom); err != nil {
			return err
		}
	}
	e.Settings = s
	if err := g.save(ctx, func(m map[Key]entry) { m[key] = e }); err != nil {
		return err
	}
	r.close(ErrDropped)
	return g.run(ctx, e)
}

// Delete removes a group, its checkpoint and its parked messages, and sends its
// consumers away.
//
// Errors: ErrMissing, those of the log.
func (g *Groups) Delete(ctx context.Context, key Key) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	r, err := g.find(key)
	if err != nil {
		return err
	}
	if err := g.save(ctx, func(m map[Key]entry) { delete(m, key) }); err != nil {
		return err
	}
	g.mu.Lock()
	delete(g.running, key)
	g.mu.Unlock()
	r.close(ErrDropped)
	return g.clear(ctx, key)
}

// clear deletes the streams of a group.
func (g *Groups) clear(ctx context.Context, key Key) error {
	for _, s := range []domain.StreamID{key.checkpointStream(), key.ParkedStream()} {
		st, err := g.log.Embedded().StreamState(ctx, s)
		if err != nil {
			return err
		}
		if st.Last < 0 || st.Deleted {
			continue
		}
		if _, err := g.log.Delete(ctx, s, streams.Any); err != nil {
			return fmt.Errorf("delete stream %s: %w", s, err)
		}
	}
	return nil
}

// Replay hands the parked messages of a group out again: those below a revision
// of their stream. It does not wait for them.
//
// Errors: ErrMissing.
func (g *Groups) Replay(key Key, stopAt int64) error {
	r, err := g.find(key)
	if err != nil {
		return err
	}
	r.replay(stopAt)
	return nil
}

// Restart stops all groups, which sends their consumers away, and runs them anew
// as the log says.
func (g *Groups) Restart(ctx context.Context) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	if _, err := g.find(Key{}); errors.Is(err, ErrStopped) {
		return err
	}
	g.closeAll(ErrDropped)
	return g.load(ctx)
}

// Close stops all groups. Their consumers get ErrStopped.
func (g *Groups) Close() {
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	g.changing.Lock()
	defer g.changing.Unlock()
	g.closeAll(ErrStopped)
}

func (g *Groups) closeAll(why error) {
	g.mu.Lock()
	all := g.running
	g.running = map[Key]*runner{}
	g.mu.Unlock()
	var wg sync.WaitGroup
	for _, r := range all {
		wg.Go(func() { r.close(why) })
	}
	wg.Wait()
}
