package projections_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/projections"
	"strata/projections/projectionstest"
	"strata/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// added is the fact of these tests: a number joins a tally.
type added struct {
	N    int
	Fail string // "error" or "panic": a tally cannot take it until it is mended
}

func (added) EventType() string { return "tally.added.v1" }

type renamed struct{}

func (renamed) EventType() string { return "other.renamed.v1" }

func newCodec(t testing.TB) *streams.Codec {
	t.Helper()
	c, err := streams.NewCodec([]domain.FactType{domain.FactOf[added](), domain.FactOf[renamed]()}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// tallies sums numbers per stream and keeps the order in which they came.
type tallies struct {
	version int
	mu      sync.Mutex
	mended  bool
	tries   int // of failing facts
	healAt  int // failing facts succeed from this try on
}

func (m *tallies) Name() string { return "tallies" }
func (m *tallies) Version() int { return 1 + m.version }
func (m *tallies) Schema() string {
	return `CREATE TABLE tallies (stream TEXT PRIMARY KEY, sum INTEGER, trail TEXT)`
}
func (m *tallies) Indexes() string { return `CREATE INDEX IF NOT EXISTS tallies_sum ON tallies (sum)` }
func (m *tallies) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{"tally"}}
}

func (m *tallies) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	for _, e := range events {
		f, ok := e.Fact.(added)
		if !ok {
			return fmt.Errorf("event %d is no addition", e.Position)
		}
		if f.Fail != "" && !m.heals() {
			if f.Fail == "panic" {
				panic("cannot take it")
			}
			return errors.New("cannot take it")
		}
		_, err := tx.Exec(ctx, `INSERT INTO tallies VALUES (?1, ?2, ?2)
			ON CONFLICT DO UPDATE SET sum = sum + excluded.sum, trail = trail || ',' || excluded.trail`, string(e.Stream), f.N)
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *tallies) heals() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	return m.mended || m.healAt > 0 && m.tries >= m.healAt
}

func (m *tallies) mend() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mended = true
}

// impatient is a clock on which every wait is over at once.
type impatient struct {
	mu    sync.Mutex
	waits []time.Duration

	blocking int           // from this wait on, none is ever over; 0 is never
	blocked  chan struct{} // closed when one such wait has begun
}

func (c *impatient) Now() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func (c *impatient) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = append(c.waits, d)
	if c.blocking > 0 && len(c.waits) >= c.blocking {
		if len(c.waits) == c.blocking {
			close(c.blocked)
		}
		return nil
	}
	now := make(chan time.Time, 1)
	now <- c.Now()
	return now
}

// blockAt makes time stand still from the n-th wait from now on, and returns
// what tells that somebody waits for it.
func (c *impatient) blockAt(n int) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.blocking, c.blocked = len(c.waits)+n, make(chan struct{})
	return c.blocked
}

// world is a log with a model over it.
type world struct {
	*testing.T
	dir    string
	log    *projectionstest.Log
	codec  *streams.Codec
	model  *tallies
	clock  *impatient
	logger *slog.Logger
	runner *projections.Runner

	prepare func(*projections.Runner) // before it starts
}

func newWorld(t *testing.T) *world {
	w := &world{T: t, dir: t.TempDir(), log: projectionstest.NewLog(), codec: newCodec(t), model: &tallies{}, clock: &impatient{}}
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start(hooks ...func(string, []domain.Event)) {
	w.Helper()
	r, err := projections.Open(w.Context(), projections.Config{Dir: w.dir, Store: w.log, NoSync: true, Codec: w.codec, Clock: w.clock, Logger: w.logger, BatchSize: 7}, w.model)
	if err != nil {
		w.Fatal(err)
	}
	w.runner = r
	if w.prepare != nil {
		w.prepare(r)
	}
	for _, hook := range hooks {
		r.OnCommit(hook)
	}
	if err := r.Start(); err != nil {
		w.Fatal(err)
	}
}

func (w *world) stop() {
	w.Helper()
	if w.runner == nil {
		return
	}
	if err := w.runner.Stop(); err != nil {
		w.Errorf("stop: %v", err)
	}
	w.runner = nil
}

func (w *world) add(stream string, numbers ...int) {
	w.Helper()
	for _, n := range numbers {
		w.log.Write(w.T, w.codec, domain.Stream("tally", stream), projectionstest.Meta("ws_1", n), added{N: n})
	}
}

func (w *world) addFailing(stream string, n int, how string) {
	w.Helper()
	w.log.Write(w.T, w.codec, domain.Stream("tally", stream), projectionstest.Meta("ws_1", n), added{N: n, Fail: how})
}

func (w *world) caughtUp() {
	w.Helper()
	projectionstest.WaitFor(w.T, w.runner, w.log, "tallies")
}

// trail is the numbers a stream has taken, "" for none.
func (w *world) trail(stream string) (trail string) {
	w.Helper()
	db, err := w.runner.Reader("tallies")
	if err != nil {
		w.Fatal(err)
	}
	err = db.QueryRow(w.Context(), "SELECT coalesce(max(trail), '') FROM tallies WHERE stream = ?", "tally-"+stream).Scan(&trail)
	if err != nil {
		w.Fatal(err)
	}
	return trail
}

func (w *world) expect(stream, want string) {
	w.Helper()
	if got := w.trail(stream); got != want {
		w.Errorf("%s took %q, want %q", stream, got, want)
	}
}

func (w *world) parked() []projections.Parked {
	w.Helper()
	all, err := w.runner.Parked(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return all
}

func (w *world) status() projections.Status {
	w.Helper()
	all, err := w.runner.Status(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return all[0]
}
