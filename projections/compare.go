package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"strata/internal/sqlite"
)

// Difference is how one table of two files differs.
type Difference struct {
	Table   string
	RowsA   int      // rows in the first file; -1 when it has no such table
	RowsB   int      // rows in the second
	OnlyA   int      // distinct rows that only the first file has
	OnlyB   int      // distinct rows that only the second has
	Samples []string // a few of them, "A: …" or "B: …"
}

// String says it in one line.
func (d Difference) String() string {
	return fmt.Sprintf("table %s: %d and %d rows, %d only in the first, %d only in the second: %s",
		d.Table, d.RowsA, d.RowsB, d.OnlyA, d.OnlyB, strings.Join(d.Samples, "; "))
}

// maxSamples is how many differing rows of a table are shown per file.
const maxSamples = 5

// Compare compares all rows of two files of one model, table by table, and
// returns the tables that differ, none when the files say the same. The
// runner's own tables are left out (when an event was parked is no content),
// and so are search tables, whose inside depends on the order of writing; they
// are built from tables that are compared.
func Compare(ctx context.Context, a, b string) (diff []Difference, err error) {
	db, err := sql.Open("sqlite", "file:"+a+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx) // ATTACH belongs to one connection
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", a, err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS other", b); err != nil {
		return nil, fmt.Errorf("open %s: %w", b, sqlite.Classify(err))
	}
	tables, err := comparedTables(ctx, conn)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		d, err := compareTable(ctx, conn, t)
		if err != nil {
			return nil, fmt.Errorf("compare table %s: %w", t.name, sqlite.Classify(err))
		}
		if d.RowsA != d.RowsB || d.OnlyA > 0 || d.OnlyB > 0 {
			diff = append(diff, d)
		}
	}
	return diff, nil
}

type table struct {
	name     string
	inA, inB bool
}

func comparedTables(ctx context.Context, conn *sql.Conn) ([]table, error) {
	rows, err := conn.QueryContext(ctx, `SELECT name, max(schema = 'main'), max(schema = 'other')
		FROM pragma_table_list
		WHERE type = 'table' AND schema IN ('main', 'other') AND name NOT LIKE 'sqlite\_%' ESCAPE '\' AND name NOT LIKE 'strata\_%' ESCAPE '\'
		GROUP BY name ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []table
	for rows.Next() {
		var t table
		if err := rows.Scan(&t.name, &t.inA, &t.inB); err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

func compareTable(ctx context.Context, conn *sql.Conn, t table) (Difference, error) {
	d := Difference{Table: t.name, RowsA: -1, RowsB: -1}
	name := `"` + strings.ReplaceAll(t.name, `"`, `""`) + `"`
	count := func(present bool, schema string, into *int) error {
		if !present {
			return nil
		}
		return conn.QueryRowContext(ctx, "SELECT count(*) FROM "+schema+"."+name).Scan(into)
	}
	if err := errors.Join(count(t.inA, "main", &d.RowsA), count(t.inB, "other", &d.RowsB)); err != nil {
		return d, err
	}
	if !t.inA || !t.inB {
		return d, nil
	}
	var err error
	if d.OnlyA, err = d.sample(ctx, conn, "A: ", "SELECT * FROM main."+name+" EXCEPT SELECT * FROM other."+name); err != nil {
		return d, err
	}
	d.OnlyB, err = d.sample(ctx, conn, "B: ", "SELECT * FROM other."+name+" EXCEPT SELECT * FROM main."+name)
	return d, err
}

// sample counts the rows of a query and keeps the first few.
func (d *Difference) sample(ctx context.Context, conn *sql.Conn, label, query string) (n int, err error) {
	rows, err := conn.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	for ; rows.Next(); n++ {
		if n >= maxSamples {
			continue
		}
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		parts := make([]string, len(columns))
		for i, v := range values {
			parts[i] = fmt.Sprintf("%s=%v", columns[i], v)
		}
		d.Samples = append(d.Samples, label+strings.Join(parts, " "))
	}
	return n, rows.Err()
}
