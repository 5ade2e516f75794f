// Package connectors is the read model of connectors and of what their scans
// found.
package connectors

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"strata/domain"
	"strata/domain/connector"
	"strata/projections"
	"strata/projections/fold"
	"strata/streams"
)

// Name of the model.
const Name = "connectors"

// schema: a connector's row holds the folded aggregate in state and, as columns,
// what lists need of it. A file of a scan has its row from when the scan is asked
// for; result is the fact that says what was found, ” until then.
const schema = `
CREATE TABLE connectors (
  id           TEXT PRIMARY KEY,
  organization TEXT NOT NULL,
  workspace    TEXT NOT NULL,
  name         TEXT NOT NULL,
  type         TEXT NOT NULL,
  status       TEXT NOT NULL,
  created_at   INTEGER NOT NULL, -- Unix microseconds
  updated_at   INTEGER NOT NULL,
  revision     INTEGER NOT NULL,
  state        TEXT NOT NULL
);
CREATE TABLE scans (
  id           TEXT PRIMARY KEY,
  connector    TEXT NOT NULL,
  requested_at INTEGER NOT NULL,
  requested_by TEXT NOT NULL,
  completed_at INTEGER NOT NULL, -- 0 = under way
  files        INTEGER NOT NULL,
  failed       INTEGER NOT NULL
);
CREATE TABLE scan_files (
  scan         TEXT NOT NULL,
  place        INTEGER NOT NULL, -- in the request
  connector    TEXT NOT NULL,
  file         TEXT NOT NULL,
  open         INTEGER NOT NULL, -- 1 until it is reported on
  error        TEXT NOT NULL,
  result       TEXT NOT NULL,    -- JSON of connector.FileScanned
  PRIMARY KEY (scan, place)
);`

const indexes = `
CREATE INDEX IF NOT EXISTS connectors_list ON connectors (workspace, created_at, id);
CREATE INDEX IF NOT EXISTS scans_of ON scans (connector, requested_at, id);
CREATE INDEX IF NOT EXISTS scan_files_open ON scan_files (scan, place) WHERE open = 1;`

// Model folds connectors. It implements projections.Model.
type Model struct{}

// Name implements projections.Model.
func (Model) Name() string { return Name }

// Version implements projections.Model.
func (Model) Version() int { return 1 }

// Filter implements projections.Model.
func (Model) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{connector.Aggregate.Category}}
}

// Schema implements projections.Model.
func (Model) Schema() string { return schema }

// Indexes implements projections.Model.
func (Model) Indexes() string { return indexes }

// Forget implements projections.Forgetter: what was found in files can be erased.
func (Model) Forget(ctx context.Context, tx projections.Tx, stream domain.StreamID) error {
	return drop(ctx, tx, stream.Key())
}

// drop deletes all rows of a connector.
func drop(ctx context.Context, tx projections.Tx, id string) error {
	for _, statement := range []string{`DELETE FROM scan_files WHERE scan IN (SELECT id FROM scans WHERE connector = ?)`,
		`DELETE FROM scans WHERE connector = ?`, `DELETE FROM connectors WHERE id = ?`} {
		if _, err := tx.Exec(ctx, statement, id); err != nil {
			return err
		}
	}
	return nil
}

// row is a connector while a batch is folded into it.
type row struct {
	organization, workspace string
	revision                domain.Revision
	state                   *connector.State
}

// Apply implements projections.Model.
func (Model) Apply(ctx context.Context, tx projections.Tx, events []domain.Event) error {
	return fold.Streams(events,
		func(e domain.Event) (*row, error) { return load(ctx, tx, e) },
		func(r *row, e domain.Event) error { return r.apply(ctx, tx, e) },
		func(r *row) error { return r.store(ctx, tx) })
}

func load(ctx context.Context, tx projections.Tx, e domain.Event) (*row, error) {
	r := &row{organization: e.Meta.Organization, workspace: e.Meta.Workspace, state: connector.Aggregate.New(e.Stream.Key())}
	if e.Revision == 0 { // a new stream needs no look
		return r, nil
	}
	var state []byte
	err := tx.QueryRow(ctx, `SELECT organization, workspace, state FROM connectors WHERE id = ?`, r.state.ID).Scan(&r.organization, &r.workspace, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(state, r.state)
}

func (r *row) apply(ctx context.Context, tx projections.Tx, e domain.Event) error {
	connector.Aggregate.Apply(r.state, e)
	r.revision = e.Revision
	switch f := e.Fact.(type) {
	case connector.ScanRequested:
		return r.begin(ctx, tx, f, e)
	case connector.FileScanned:
		f.Subject = "" // whose key sealed it is not shown
		result, err := json.Marshal(f)
		if err != nil {
			return err
		}
		return report(ctx, tx, f.ScanID, f.File, "", string(result))
	case connector.FileScanFailed:
		return report(ctx, tx, f.ScanID, f.File, f.Reason, "")
	case connector.ScanCompleted:
		_, err := tx.Exec(ctx, `UPDATE scans SET completed_at = ?, failed = ? WHERE id = ?`, fold.Micros(e.Meta.OccurredAt), f.Failed, f.ScanID)
		return err
	}
	return nil
}

// begin makes the rows of a scan.
func (r *row) begin(ctx context.Context, tx projections.Tx, f connector.ScanRequested, e domain.Event) error {
	_, err := tx.Exec(ctx, `INSERT INTO scans (id, connector, requested_at, requested_by, completed_at, files, failed) VALUES (?, ?, ?, ?, 0, ?, 0)`,
		f.ScanID, r.state.ID, fold.Micros(e.Meta.OccurredAt), e.Meta.Actor, len(f.Files))
	if err != nil {
		return err
	}
	for i, file := range f.Files {
		_, err := tx.Exec(ctx, `INSERT INTO scan_files (scan, place, connector, file, open, error, result) VALUES (?, ?, ?, ?, 1, '', '')`,
			f.ScanID, i, r.state.ID, file)
		if err != nil {
			return err
		}
	}
	return nil
}

func report(ctx context.Context, tx projections.Tx, scan, file, reason, result string) error {
	_, err := tx.Exec(ctx, `UPDATE scan_files SET open = 0, error = ?, result = ? WHERE scan = ? AND file = ?`, reason, result, scan, file)
	return err
}

func (r *row) store(ctx context.Context, tx projections.Tx) error {
	s := r.state
	if s.Deleted {
		return drop(ctx, tx, s.ID)
	}
	state, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO connectors (id, organization, workspace, name, type, status, created_at, updated_at, revision, state)
	VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, status = excluded.status, updated_at = excluded.updated_at,
	revision = excluded.revision, state = excluded.state`,
		s.ID, r.organization, r.workspace, s.Name, string(s.Type), string(s.Status()), fold.Micros(s.CreatedAt), fold.Micros(s.UpdatedAt),
		int64(r.revision), string(state))
	return err
}
