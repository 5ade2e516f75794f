package analytics

import (
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func TestReadMigrations(t *testing.T) {
	steps, err := readMigrations(fstest.MapFS{
		"migrations/0001_a.sql": {Data: []byte("-- why\nCREATE TABLE IF NOT EXISTS a (x String DEFAULT ';');\n\nALTER TABLE a\nADD COLUMN y UInt8;\n")},
		"migrations/0002_b.sql": {Data: []byte("SELECT 1")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(steps) != 2 || len(steps[0].statements) != 2 || steps[1].version != 2 || steps[1].name != "0002_b" ||
		!strings.Contains(steps[0].statements[0], "';'") {
		t.Errorf("got %+v", steps)
	}
	for name, files := range map[string]fstest.MapFS{
		"a gap":     {"migrations/0001_a.sql": {}, "migrations/0003_b.sql": {}},
		"no number": {"migrations/first.sql": {}},
	} {
		if _, err := readMigrations(files); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestMigrationsCanBeRunAgain(t *testing.T) {
	steps, err := readMigrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		for i, statement := range step.statements {
			// An INSERT starts anew when the statement before empties its table.
			into := insertedInto.FindStringSubmatch(statement)
			emptied := i > 0 && into != nil && strings.HasSuffix(step.statements[i-1], "TRUNCATE TABLE IF EXISTS "+into[1])
			if !emptied && !strings.Contains(statement, "IF NOT EXISTS") && !strings.Contains(statement, "IF EXISTS") {
				t.Errorf("%s: a second run of this would fail: %s", step.name, statement)
			}
		}
	}
}

var insertedInto = regexp.MustCompile(`^INSERT INTO (\w+)`)

// The tables' columns and those the writer names must be the same.
func TestColumnsAreThoseOfTheSchema(t *testing.T) {
	steps, err := readMigrations(migrationFiles)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []table{rowsTable, payloadsTable} {
		for _, statement := range steps[0].statements {
			if !strings.Contains(statement, "IF NOT EXISTS "+table.name+"\n") {
				continue
			}
			text := strings.Join(strings.Fields(statement), " ")
			for _, c := range table.types {
				if !strings.Contains(text, " "+c.name+" "+c.typ) {
					t.Errorf("%s has no column %s %s", table.name, c.name, c.typ)
				}
			}
		}
	}
}
