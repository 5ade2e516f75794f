package analytics

import (
	"context"
	"fmt"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"strata/internal/clickhouse"
)

// partsPoll is how often it is looked whether old parts are gone.
const partsPoll = 250 * time.Millisecond

// Eraser removes what was said by or about a person from the tables.
type Eraser struct{ db *clickhouse.DB }

// NewEraser makes an eraser. It does nothing until Erase.
func NewEraser(db *clickhouse.DB) *Eraser { return &Eraser{db} }

// Erase deletes the payloads of a subject's calls in some workspaces, and the
// words in their rows (tags, metadata, errors): the rows are then what a fold of
// the log gives once the subject's key is destroyed. It returns when the parts
// that held them are gone from the disk. Erasing what is not there is no error.
// What is still on its way into the tables must have arrived before.
func (e *Eraser) Erase(ctx context.Context, workspaces []string, subject string) error {
	if len(workspaces) == 0 {
		return nil
	}
	if err := e.db.WaitReady(ctx); err != nil {
		return err
	}
	whose := []any{ch.Named("workspaces", workspaces), ch.Named("subject", subject)}
	for _, t := range []struct{ table, has, change string }{
		{
			payloadsTable.name, "subject = {subject:String}",
			"DELETE",
		},
		{"vectors", "subject = {subject:String}", "DELETE"},
		{
			// As inference.Recorded names its subject.
			rowsTable.name, "multiIf(end_user != '', end_user, api_key_id != '', toString(api_key_id), toString(workspace_id)) = {subject:String}" +
				" AND (notEmpty(error) OR notEmpty(tags) OR notEmpty(metadata))",
			"UPDATE error = '', tags = CAST([] AS Array(LowCardinality(String))), metadata = CAST(map() AS Map(LowCardinality(String), String))",
		},
	} {
		condition := " WHERE workspace_id IN {workspaces:Array(String)} AND " + t.has
		if err := e.mutate(ctx, t.table, t.change, condition, whose); err != nil {
			return e.db.Explain("erase from "+t.table, err)
		}
	}
	return nil
}

// mutate rewrites the parts of a table that hold what a condition names, and
// waits until those it replaced, and any that merges replaced before, are gone.
// For that time the engine is told to keep replaced parts no longer than a
// second, and to sync the new ones, since the old ones cannot stand in for them.
func (e *Eraser) mutate(ctx context.Context, table, change, condition string, args []any) (err error) {
	conn, l := e.db.Conn(), layoutOf(e.db)
	alter := "ALTER TABLE " + l.stored(table) + l.onCluster()
	var rows uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM "+table+condition, args...).Scan(&rows); err != nil {
		return err
	}
	const settings = "old_parts_lifetime, min_rows_to_fsync_after_merge"
	if err := conn.Exec(ctx, alter+" MODIFY SETTING old_parts_lifetime = 1, min_rows_to_fsync_after_merge = 1"); err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if reset := conn.Exec(ctx, alter+" RESET SETTING "+settings); reset != nil && err == nil {
			err = fmt.Errorf("reset settings: %w", reset)
		}
	}()
	if rows > 0 {
		synchronous := ch.Context(ctx, ch.WithSettings(ch.Settings{"mutations_sync": 2}))
		if err := conn.Exec(synchronous, alter+" "+change+condition, args...); err != nil {
			return err
		}
	}
	return awaitParts(ctx, conn, l, table)
}

// awaitParts waits until the parts of a table that are replaced now are gone.
func awaitParts(ctx context.Context, conn driver.Conn, l layout, table string) error {
	replaced := "SELECT groupArray(name) FROM " + l.systemTable("parts") + " WHERE database = currentDatabase() AND table = {table:String} AND NOT active"
	var names []string
	if err := conn.QueryRow(ctx, replaced, ch.Named("table", l.stored(table))).Scan(&names); err != nil {
		return fmt.Errorf("look for replaced parts: %w", err)
	}
	tick := time.NewTicker(partsPoll)
	defer tick.Stop()
	for len(names) > 0 {
		// The engine cleans up after work on the table, not by the clock. Dropping
		// a partition that cannot be is such work, and nothing else.
		if err := conn.Exec(ctx, "ALTER TABLE "+l.stored(table)+l.onCluster()+" DROP PARTITION ID '197001'"); err != nil {
			return fmt.Errorf("have the engine clean up: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("replaced parts %v are still there: %w", names, ctx.Err())
		}
		err := conn.QueryRow(ctx, replaced+" AND name IN {names:Array(String)}", ch.Named("table", l.stored(table)), ch.Named("names", names)).Scan(&names)
		if err != nil {
			return fmt.Errorf("look for replaced parts: %w", err)
		}
	}
	return nil
}
