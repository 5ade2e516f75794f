package analytics

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"strata/internal/clickhouse"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one numbered step. Its statements can be run again, so that a
// step cut short by a crash is simply run anew.
type migration struct {
	version    uint32
	name       string
	statements []string
}

// Migrate brings the tables to the newest version. Concurrent callers, also in
// other processes, wait for each other.
func Migrate(ctx context.Context, db *clickhouse.DB) error {
	steps, err := readMigrations(migrationFiles)
	if err != nil {
		return err
	}
	return locked(ctx, db, func(l layout) error { return apply(ctx, db.Conn(), l, steps) })
}

// locked does something while nobody else changes tables, in this process or another.
func locked(ctx context.Context, db *clickhouse.DB, do func(layout) error) error {
	l := layoutOf(db)
	return db.AlterSchema(func() error {
		if !db.Embedded() { // no other process has the embedded engine
			release, err := lockSchema(ctx, db.Conn(), l)
			if err != nil {
				return fmt.Errorf("lock the schema: %w", err)
			}
			defer release()
		}
		return do(l)
	})
}

// Reset drops every table and makes them anew, empty, so that a writer resumes
// at the beginning of the log. No writer may run meanwhile.
func Reset(ctx context.Context, db *clickhouse.DB) error {
	steps, err := readMigrations(migrationFiles)
	if err != nil {
		return err
	}
	tables := []string{"schema_migrations"} // first: a reset cut short is then made good by Migrate
	for _, step := range steps {
		for _, statement := range step.statements {
			if m := createStatement.FindStringSubmatch(statement); m != nil {
				tables = append(tables, m[1])
			}
		}
	}
	l, sync := layoutOf(db), " SYNC"
	if l.isCluster() {
		sync = "" // rendering adds it
	}
	for _, name := range tables {
		if err := l.exec(ctx, db.Conn(), "DROP TABLE IF EXISTS "+name+sync); err != nil {
			return db.Explain("drop "+name, err)
		}
	}
	return Migrate(ctx, db)
}

func apply(ctx context.Context, conn driver.Conn, l layout, steps []migration) error {
	err := l.exec(ctx, conn, `CREATE TABLE IF NOT EXISTS schema_migrations
(version UInt32, name String, applied_at DateTime('UTC') DEFAULT now())
ENGINE = MergeTree ORDER BY version`)
	if err != nil {
		return fmt.Errorf("create schema_migrations: %w", err)
	}
	var current uint32
	if err := conn.QueryRow(l.consistent(ctx), "SELECT max(version) FROM schema_migrations").Scan(&current); err != nil {
		return fmt.Errorf("read schema_migrations: %w", err)
	}
	for _, step := range steps {
		if step.version <= current {
			continue
		}
		for _, statement := range step.statements {
			if err := l.exec(ctx, conn, statement); err != nil {
				return fmt.Errorf("migration %s: %w", step.name, err)
			}
		}
		err := conn.Exec(l.consistent(ctx), "INSERT INTO schema_migrations (version, name) SELECT {version:UInt32}, {name:String}",
			ch.Named("version", step.version), ch.Named("name", step.name))
		if err != nil {
			return fmt.Errorf("record migration %s: %w", step.name, err)
		}
	}
	return nil
}

// readMigrations reads NNNN_name.sql files, in order. A statement ends with a
// semicolon at the end of a line.
func readMigrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	steps := make([]migration, 0, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		base := strings.TrimSuffix(path.Base(name), ".sql")
		number, _, _ := strings.Cut(base, "_")
		version, err := strconv.ParseUint(number, 10, 32)
		if err != nil || version != uint64(i+1) {
			return nil, fmt.Errorf("migration %s: want number %d", name, i+1)
		}
		step := migration{version: uint32(version), name: base}
		for statement := range strings.SplitSeq(string(text)+"\n", ";\n") {
			if statement = strings.TrimSpace(statement); statement != "" {
				step.statements = append(step.statements, statement)
			}
		}
		steps = append(steps, step)
	}
	return steps, nil
}
