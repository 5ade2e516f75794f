package analytics_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
)

// quick flushes soon and retries at once.
var quick = analytics.WriterOptions{BatchRows: 200, MaxRows: 500, MaxDelay: 2 * time.Millisecond, RetryDelay: time.Millisecond}

func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// deliver hands items to the writer.
func deliver(t testing.TB, w *analytics.Writer, items []analytics.Item) {
	t.Helper()
	if err := w.Write(within(t, 10*time.Second), items); err != nil {
		t.Fatalf("%v; status %+v", err, w.Status())
	}
}

// settled waits until everything up to a position is in the tables.
func settled(t testing.TB, w *analytics.Writer, position domain.Position) {
	t.Helper()
	if err := w.Wait(within(t, 30*time.Second), position); err != nil {
		t.Fatalf("%v; status %+v", err, w.Status())
	}
}

func TestWriterWritesRowsPayloadsAndRollups(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	few := analytics.WriterOptions{BatchRows: 1000, MaxDelay: 2 * time.Millisecond}
	w := analytics.NewWriter(db, few)
	position, err := w.Resume(t.Context())
	must(t, err)
	if position != 0 {
		t.Fatalf("resumes at %d", position)
	}
	stop := start(t, w)
	items := history(1, 2000, "ws_1")
	deliver(t, w, items)
	settled(t, w, last(items))
	check(t, db, items)
	if status := w.Status(); status.Position != last(items) || status.Waiting != 0 || status.Error != "" {
		t.Errorf("status %+v", status)
	}
	stop()

	// A second life: it resumes at the end, and a redelivery of everything,
	// even with the progress lost, changes nothing.
	for _, forget := range []bool{false, true} {
		want := last(items)
		if forget {
			must(t, db.Conn().Exec(t.Context(), "TRUNCATE TABLE writer_progress"))
			want = 0
		}
		w = analytics.NewWriter(db, few)
		position, err = w.Resume(t.Context())
		must(t, err)
		if position != want {
			t.Fatalf("resumes at %d, want %d", position, want)
		}
		stop = start(t, w)
		deliver(t, w, items)
		settled(t, w, last(items))
		stop()
		check(t, db, items)
	}

	// Thrown away and rebuilt from the log, the tables are the same again.
	must(t, analytics.Reset(t.Context(), db))
	w = analytics.NewWriter(db, analytics.WriterOptions{})
	position, err = w.Resume(t.Context())
	must(t, err)
	if position != 0 {
		t.Fatalf("resumes at %d after a reset", position)
	}
	defer start(t, w)()
	deliver(t, w, items)
	settled(t, w, last(items))
	check(t, db, items)
}

// TestKillingTheEngineLosesAndDoublesNothing kills the engine with -9 again
// and again while the writer works, and now and then the writer too.
func TestKillingTheEngineLosesAndDoublesNothing(t *testing.T) {
	rounds := 3
	if os.Getenv("STRATA_TEST_LONG") != "" {
		rounds = 15
	}
	db := clickhousetest.Open(t, clickhouse.Config{RestartDelay: time.Millisecond})
	items := history(2, 900*rounds, "ws_1")
	random := rand.New(rand.NewPCG(3, 3))
	sent := 0
	for round := range rounds {
		w := analytics.NewWriter(db, quick)
		position, err := w.Resume(within(t, 30*time.Second))
		must(t, err)
		for sent > 0 && items[sent-1].Position > position {
			sent-- // delivered, but not in the tables
		}
		sent = max(0, sent-random.IntN(300)) // at least once: some come again
		stop := start(t, w)
		until := min(len(items), sent+1500+random.IntN(500))
		if round == rounds-1 {
			until = len(items)
		}
		killed := make(chan struct{})
		pause := time.Duration(random.IntN(120)) * time.Millisecond
		go func() {
			defer close(killed)
			// A random moment of the work is the point here.
			<-time.After(pause)
			clickhousetest.Kill(t, db)
		}()
		for sent < until {
			n := min(until, sent+50)
			deliver(t, w, items[sent:n])
			sent = n
		}
		<-killed
		if round%3 != 0 || round == rounds-1 {
			settled(t, w, items[sent-1].Position)
		}
		stop()
	}
	clickhousetest.WaitReady(t, db)
	check(t, db, items[:sent])
	if sent != len(items) {
		t.Logf("%d of %d items were delivered", sent, len(items))
	}
}

func TestWriterWaitsForAnEngineThatIsAway(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{RestartDelay: 50 * time.Millisecond})
	w := analytics.NewWriter(db, quick)
	_, err := w.Resume(t.Context())
	must(t, err)
	stop := start(t, w)
	items := history(4, 100, "ws_1")
	clickhousetest.Kill(t, db)
	deliver(t, w, items)
	settled(t, w, last(items))
	stop()
	check(t, db, items)
}

func TestWriterBlocksWhenTooMuchWaits(t *testing.T) {
	db, err := clickhouse.Open(t.Context(), clickhouse.Config{DataDir: t.TempDir(), Library: "/nowhere"})
	must(t, err)
	defer func() { must(t, db.Stop(context.Background())) }()
	w := analytics.NewWriter(db, analytics.WriterOptions{BatchRows: 10, MaxRows: 20, RetryDelay: time.Millisecond})
	items := history(5, 100, "ws_1")
	deliver(t, w, items[:40])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Write(ctx, items[:41]); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if status := w.Status(); status.Waiting != 40 || status.Position != 0 {
		t.Errorf("status %+v", status)
	}
	if _, err := w.Resume(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOddFactsDoNotBlockTheWriter(t *testing.T) {
	db := clickhousetest.Open(t, clickhouse.Config{})
	w := analytics.NewWriter(db, quick)
	_, err := w.Resume(t.Context())
	must(t, err)
	defer start(t, w)()
	items := []analytics.Item{
		{Position: 1, Fact: inference.Recorded{ID: "no times", Workspace: "w"}},
		{Position: 2, RecordedAt: noon, Fact: inference.Recorded{ID: "from the year 1", Workspace: "w", StartedAt: time.Time{}.Add(time.Hour),
			InputTokens: -1, LatencyUS: -1, HTTPStatus: 1 << 20}},
		{Position: 3, RecordedAt: noon, Fact: inference.Recorded{ID: "from the year 9999", StartedAt: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{Position: 4, RecordedAt: noon, Workspace: "w", Fact: inference.PayloadRecorded{ID: "bytes", Request: []byte("\xff\x00'\\")}},
		{Position: 5, Fact: domain.Erased{Type: "inference.payload_recorded.v1"}},
	}
	deliver(t, w, items)
	settled(t, w, 5)
	var rows, odd uint64
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count(), countIf(input_tokens = 0 AND http_status IN (0, 65535)) FROM inferences").Scan(&rows, &odd))
	if rows != 3 || odd != 3 {
		t.Errorf("%d rows, %d as expected", rows, odd)
	}
}
