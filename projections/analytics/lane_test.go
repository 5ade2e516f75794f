package analytics_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"strata/domain"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
)

// lane opens a lane for a process.
func lane(t *testing.T, db *clickhouse.DB, number int, process string) *analytics.Lane {
	t.Helper()
	l, err := analytics.OpenLane(t.Context(), db, number, analytics.LaneOptions{Owner: analytics.Owner{Installation: named("a"), Instance: process}})
	must(t, err)
	return l
}

// feed gives a lane items as a topic does that was published to more than once:
// now and then it goes back and comes to the same again.
func feed(t *testing.T, seed uint64, l *analytics.Lane, items []analytics.Item) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	for at := 0; at < len(items); {
		n := min(len(items), at+1+random.IntN(150))
		batch := slices.Clone(items[at:n])
		if random.IntN(3) == 0 { // within a batch too
			batch = append(batch, items[max(0, n-30):n]...)
		}
		if err := l.Write(t.Context(), batch); err != nil {
			t.Error(err)
			return
		}
		at = n
		if random.IntN(4) == 0 {
			at = max(0, n-random.IntN(50))
		}
		if n == len(items) {
			return
		}
	}
}

// TestLanes writes two lanes of one server side by side, each by one process
// after the other.
func TestLanes(t *testing.T) {
	server := clickhousetest.Serve(t, clickhouse.Standalone{})
	db := open(t, clickhouse.Config{URL: "http://" + server.Address})
	all := [][]analytics.Item{history(11, 100, "ws_1"), history(12, 100, "ws_2")}
	for half := range 2 {
		var writing sync.WaitGroup
		for i, items := range all {
			items = items[half*len(items)/2 : (half+1)*len(items)/2]
			l := lane(t, db, i+1, []string{"one", "two"}[half])
			writing.Go(func() {
				feed(t, uint64(10*half+i), l, items)
				must(t, l.Close())
			})
		}
		writing.Wait()
	}
	everything := slices.Concat(all...)
	check(t, db, everything)

	// Everything once more, by somebody else, and with progress forgotten.
	must(t, db.Conn().Exec(t.Context(), "TRUNCATE TABLE writer_progress"))
	for i, items := range all {
		l := lane(t, db, i+1, "three")
		must(t, l.Write(t.Context(), items))
		must(t, l.Close())
	}
	check(t, db, everything)

	// Whoever has a lane keeps others out, from this lane only.
	first := lane(t, db, 1, "one")
	_, err := analytics.OpenLane(t.Context(), db, 1, analytics.LaneOptions{Owner: analytics.Owner{Installation: named("a"), Instance: "two"}})
	if !errors.Is(err, analytics.ErrNotOwner) {
		t.Errorf("two have a lane: %v", err)
	}
	second := lane(t, db, 2, "two")
	must(t, first.Close())
	must(t, lane(t, db, 1, "two").Close())
	must(t, second.Close())
}

// What is written by lanes and what is written from the log are the same calls:
// never both.
func TestLanesFollowTheWriterWithoutLanes(t *testing.T) {
	server := clickhousetest.Serve(t, clickhouse.Standalone{})
	db := open(t, clickhouse.Config{URL: "http://" + server.Address})
	o := quick
	o.Owner = analytics.Owner{Installation: named("a"), Instance: "one"}
	w := analytics.NewWriter(db, o)
	_, err := w.Resume(t.Context())
	must(t, err)
	stop := start(t, w)
	items := history(13, 200, "ws_1")
	half := len(items) / 2
	deliver(t, w, items[:half])
	settled(t, w, items[half-1].Position)
	_, err = analytics.OpenLane(t.Context(), db, 1, analytics.LaneOptions{Owner: analytics.Owner{Installation: named("a"), Instance: "two"}})
	if !errors.Is(err, analytics.ErrNotOwner) {
		t.Errorf("a lane is written beside the writer without: %v", err)
	}
	stop()
	l := lane(t, db, 1, "two")
	must(t, l.Write(t.Context(), items)) // from the beginning
	must(t, l.Close())
	check(t, db, items)
	if err := tryResume(t, analytics.NewWriter(db, o)); err == nil || !strings.Contains(err.Error(), "came over Kafka") {
		t.Errorf("the writer without lanes began again: %v", err)
	}
	for _, number := range []int{0, -1, 1 << 16} {
		if _, err := analytics.OpenLane(t.Context(), db, number, analytics.LaneOptions{}); err == nil {
			t.Errorf("lane %d was opened", number)
		}
	}
}

// The writers of one process share the embedded engine, and migrate one after the other.
func TestWritersMigrateOneByOne(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := analytics.Migrate(t.Context(), db); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var steps, versions uint64
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count(), uniqExact(version) FROM schema_migrations").Scan(&steps, &versions))
	if steps != versions || steps == 0 {
		t.Errorf("%d migrations were recorded %d times", versions, steps)
	}
}

// A step that a kill cut short is run again.
func TestLanesAreAddedTwice(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	must(t, analytics.Migrate(t.Context(), db))
	w := analytics.NewWriter(db, quick)
	_, err := w.Resume(t.Context())
	must(t, err)
	stop := start(t, w)
	items := history(14, 50, "ws_1")
	deliver(t, w, items)
	settled(t, w, last(items))
	stop()
	must(t, db.Conn().Exec(t.Context(), "ALTER TABLE schema_migrations DELETE WHERE version >= 6 SETTINGS mutations_sync = 2"))
	must(t, analytics.Migrate(t.Context(), db))
	check(t, db, items)
	var position domain.Position
	if position, err = analytics.NewWriter(db, quick).Resume(t.Context()); err != nil || position != last(items) {
		t.Errorf("resumes at %d: %v", position, err)
	}
}
