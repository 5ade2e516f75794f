package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/domain/identity"
	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/projections/analytics"
	"strata/test/kit"
)

const (
	inferencesCommand = "inferences"
	generatedDays     = 31
	// chunkRows is what one position of the log stands for in generated rows.
	chunkRows = 200_000
)

// inferences fills the tables of a server with generated calls and measures the
// inference log and the dashboard over HTTP while more calls arrive.
func inferences(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("bench "+inferencesCommand, flag.ContinueOnError)
	rows := fs.Int("rows", 10_000_000, "calls that the tables shall have")
	dir := fs.String("dir", "", "data directory; one that has such calls already is measured as it is")
	arriving := fs.Int("arriving", 1000, "calls a second that arrive meanwhile")
	requests := fs.Int("requests", 40, "requests of each kind")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if *dir == "" {
		return fmt.Errorf("usage: bench %s --dir DIR [--rows N] [--arriving N] [--requests N]", inferencesCommand)
	}
	upstream, stop, err := startUpstream()
	if err != nil {
		return err
	}
	defer stop()
	full, err := os.Stat(filepath.Join(*dir, "generated"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if full == nil {
		if err := fillInferences(ctx, *dir, *rows, out); err != nil {
			return err
		}
	}
	server, err := kit.New(kit.Options{DataDir: *dir, StartWithin: startWithin})
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	if err := measureInferences(ctx, server, upstream, *arriving, *requests, out); err != nil {
		return fmt.Errorf("%w\nthe end of the server's log:\n%s", err, joinKill(server))
	}
	return server.Stop()
}

// fillInferences makes a data directory: a log that is longer than there are
// chunks of rows, so that calls recorded later come after all of them, and the
// rows, rolled up by the real writer.
func fillInferences(ctx context.Context, dir string, rows int, out io.Writer) error {
	server, err := kit.New(kit.Options{DataDir: dir, StartWithin: startWithin})
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	for i := range rows/chunkRows + 1 {
		if _, err := create(ctx, server, "/api/v1/apps", map[string]any{"name": fmt.Sprintf("filler-%d", i), "type": "chat"}, "data.id"); err != nil {
			return errors.Join(err, server.Kill())
		}
	}
	if err := errors.Join(server.WaitClickHouse(time.Minute), server.Stop()); err != nil {
		return err
	}
	binary, err := kit.Binary()
	if err != nil {
		return err
	}
	db, err := clickhouse.Open(ctx, clickhouse.Config{DataDir: dir, Command: []string{binary, clickhouse.ChildCommand}, MaxMemory: 4 << 30})
	if err != nil {
		return err
	}
	began := time.Now()
	err = fillTables(ctx, db, rows, out)
	if err == nil {
		_, err = fmt.Fprintf(out, "%s calls generated in %s\n", count(float64(rows)), time.Since(began).Round(time.Second))
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := errors.Join(err, db.Stop(stopCtx)); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "generated"), nil, 0o600)
}

// fillTables inserts rows chunk by chunk, each at a position of its own, and
// lets a writer find and roll up what it did not write itself.
func fillTables(ctx context.Context, db *clickhouse.DB, rows int, out io.Writer) error {
	if err := db.WaitReady(ctx); err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Hour)
	start := now.AddDate(0, 0, -generatedDays)
	step := now.Sub(start).Microseconds() / int64(rows)
	first := domain.Position(0)
	for n := 0; n < rows; n += chunkRows {
		w := analytics.NewWriter(db, analytics.WriterOptions{MaxDelay: time.Millisecond})
		resumed, err := w.Resume(ctx)
		if err != nil {
			return err
		}
		first = resumed + 1
		err = db.Conn().Exec(ctx, strings.NewReplacer(
			"{from}", fmt.Sprint(n), "{count}", fmt.Sprint(min(chunkRows, rows-n)), "{position}", fmt.Sprint(first),
			"{start}", fmt.Sprint(start.UnixMicro()), "{step}", fmt.Sprint(step),
			"{home}", identity.HomeWorkspace, "{organization}", identity.HomeOrganization,
		).Replace(generatedRows))
		if err != nil {
			return fmt.Errorf("generate calls: %w", err)
		}
		if err := rollUpTo(ctx, w, first); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(out, "positions up to %d\n", first)
	return err
}

// rollUpTo lets a writer work until it has passed a position, which it is given
// as an event without a row.
func rollUpTo(ctx context.Context, w *analytics.Writer, position domain.Position) error {
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- w.Run(running) }()
	nothing := analytics.Item{Position: position, EventID: uuid.New(), Fact: domain.Erased{Type: inference.PayloadRecorded{}.EventType()}}
	err := w.Write(ctx, []analytics.Item{nothing})
	if err == nil {
		err = w.Wait(ctx, position)
	}
	cancel()
	return errors.Join(err, <-done)
}

// generatedRows makes calls in order of time. Half are of the first of five
// workspaces; each has 12 apps of very different size, an app uses 4 of 20
// models and one key, some calls have one of its two agents; 20,000 end users,
// few of them busy; 3 of 100 calls fail.
const generatedRows = `INSERT INTO inferences (position, event_id, recorded_at, id, ts, organization_id, workspace_id, end_user,
	api_key_id, app_id, agent_id, session_id, conversation_id, type, requested_model, model, provider, route, stream, status,
	http_status, error_code, error, finish_reason, input_tokens, output_tokens, cost_micro_usd, latency_us, ttft_us, attempts,
	tags, metadata, correlation_id, request_id)
WITH cityHash64(number) AS h, (cityHash64(number, 1) % 1000) / 1000 AS r, (cityHash64(number, 2) % 1000000) / 1000000 AS s,
	if(h % 10 < 5, '{home}', concat('ws_', toString(2 + h % 4))) AS ws, toUInt32(r * r * 12) AS app,
	(app * 7 + toUInt32(pow((cityHash64(number, 3) % 1000) / 1000, 3) * 4)) % 20 AS m, toUInt32(pow(s, 3) * 20000) AS u,
	fromUnixTimestamp64Micro(toInt64({start} + number * {step}), 'UTC') AS at,
	cityHash64(number, 4) % 100 < 3 AS failed, m % 10 = 0 AS embeds, toUInt64(200 + pow((cityHash64(number, 5) % 1000) / 1000, 4) * 8000) AS tokens
SELECT {position}, generateUUIDv4(number), at, concat('inf_', lower(hex(cityHash64(number, 6))), leftPad(toString(number), 10, '0')), at,
	'{organization}', ws, concat('user_', toString(u)), concat('key_', toString(app)), concat('app_', toString(app)),
	if(h % 5 < 2, '', concat('agent_', toString(app), '_', toString(h % 2))), concat('sess_', toString(intDiv(number, 20)), '_', toString(u % 5)),
	'', if(embeds, 'embedding', 'chat'), concat('model-', toString(m)), concat('p', toString(m % 4), '/model-', toString(m)),
	concat('p', toString(m % 4)), '', h % 3 = 0, if(failed, 'error', 'success'), if(failed, 503, 200),
	if(failed, 'AI_SERVICE_ERROR', ''), if(failed, 'the provider is overloaded', ''), if(failed, '', 'stop'), tokens,
	if(embeds, 0, intDiv(tokens, 4)), tokens * (1 + m), toUInt64(150000 + pow(s, 6) * 20000000), if(h % 3 = 0, 90000 + h % 400000, 0), 1,
	[if(h % 4 = 0, 'test', 'production'), concat('team-', toString(h % 7))], map('tier', toString(h % 3)),
	concat('corr_', toString(intDiv(number, 3))), concat('req_', toString(number))
FROM numbers({from}, {count}) SETTINGS max_threads = 1, max_insert_threads = 1, max_block_size = 200000,
	min_insert_block_size_rows = 200000, min_insert_block_size_bytes = 0`
