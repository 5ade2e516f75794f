package chserver

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"strata/internal/clickhouse/engine"
)

// session is an engine connection with what was set on it, so that a
// statement pays only for the settings that differ from those of the one before.
type session struct {
	conn     *engine.Conn
	database string
	settings map[string]string
}

// prepare makes the session's database and settings those of a request.
func (s *session) prepare(q *request) error {
	if q.database != "" && q.database != s.database {
		if _, err := s.conn.Query("USE "+quoteIdent(q.database), "Null"); err != nil {
			return err
		}
		s.database = q.database
	}
	var changes []string
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		if _, wanted := q.settings[name]; !wanted {
			changes = append(changes, name+" = DEFAULT")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.settings)) {
		if current, known := s.settings[name]; !known || current != q.settings[name] {
			changes = append(changes, name+" = "+quoteText(q.settings[name]))
		}
	}
	if len(changes) == 0 {
		return nil
	}
	// One SET per setting: a fault in one must not leave it unclear which of
	// the others are in force.
	for _, change := range changes {
		name, _, _ := strings.Cut(change, " ")
		if _, err := s.conn.Query("SET "+change, "Null"); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
		if value, wanted := q.settings[name]; wanted {
			s.settings[name] = value
		} else {
			delete(s.settings, name)
		}
	}
	return nil
}

// quoteText writes a string literal of ClickHouse.
func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// quoteIdent writes an identifier of ClickHouse.
func quoteIdent(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
