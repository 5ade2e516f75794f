package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"strata/domain"
	"strata/internal/sqlite"
)

// Difference is how one table of two files differs.
type Difference struct {
	Table   string   `json:"table"`
	RowsA   int      `json:"rows_a"`            // rows in the first file; -1 when it has no such table
	RowsB   int      `json:"rows_b"`            // rows in the second
	OnlyA   int      `json:"only_a"`            // distinct rows that only the first file has
	OnlyB   int      `json:"only_b"`            // distinct rows that only the second has
	Samples []string `json:"samples,omitempty"` // a few of them, "A: …" or "B: …"
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
	c, err := beginComparison(ctx, a, b)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return c.run(ctx)
}

// comparison is two files on one connection.
type comparison struct {
	db   *sql.DB
	conn *sql.Conn // ATTACH belongs to one connection
}

func beginComparison(ctx context.Context, a, b string) (*comparison, error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: a}).EscapedPath()+"?_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", a, err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", a, sqlite.Classify(err)), db.Close())
	}
	c := &comparison{db, conn}
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS other", b); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", b, sqlite.Classify(err)), c.close())
	}
	return c, nil
}

func (c *comparison) close() error { return errors.Join(c.conn.Close(), c.db.Close()) }

// pin keeps the first file's rows as they are now for this comparison, while the
// file itself goes on, and returns the position that they reflect.
func (c *comparison) pin(ctx context.Context) (at domain.Position, err error) {
	if _, err := c.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return 0, fmt.Errorf("compare: %w", sqlite.Classify(err))
	}
	if err := c.conn.QueryRowContext(ctx, "SELECT position FROM main.strata_checkpoint").Scan(&at); err != nil {
		return 0, fmt.Errorf("compare: %w", sqlite.Classify(err))
	}
	return at, nil
}

func (c *comparison) run(ctx context.Context) (diff []Difference, err error) {
	tables, err := comparedTables(ctx, c.conn)
	if err != nil {
		return nil, fmt.Errorf("compare: %w", sqlite.Classify(err))
	}
	for _, t := range tables {
		d, err := compareTable(ctx, c.conn, t)
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
