package connectors

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"strata/domain"
	"strata/domain/connector"
	"strata/projections/fold"
	"strata/projections/query"
)

// Connector is a connector as it stands.
type Connector struct {
	connector.State
	Revision domain.Revision
}

// Scan is a scan of files of a connector.
type Scan struct {
	ID          string
	Connector   string
	RequestedAt time.Time
	RequestedBy string
	CompletedAt time.Time // zero while it is under way
	Count       int       // of its files
	Failed      int       // those that could not be read; known when it is completed
	Files       []File    // in the order they were asked for
}

// File is a file of a scan.
type File struct {
	Name  string
	Open  bool                   // not yet looked into
	Error string                 // why it could not be read
	Found *connector.FileScanned // what it holds; nil while it is open, or with an Error
}

// Queries reads the model. It is safe for concurrent use.
type Queries struct{ db query.Reader }

// NewQueries makes the queries of a model's database.
func NewQueries(db query.Reader) *Queries { return &Queries{db} }

func scanConnector(r query.Row) (c Connector, err error) {
	var state []byte
	if err := r.Scan(&c.Revision, &state); err != nil {
		return c, err
	}
	return c, json.Unmarshal(state, &c.State)
}

// Get reads a connector; NOT_FOUND when there is none in the workspace.
func (q *Queries) Get(ctx context.Context, workspace, id string) (Connector, error) {
	c, err := scanConnector(q.db.QueryRow(ctx, `SELECT revision, state FROM connectors WHERE id = ? AND workspace = ?`, id, workspace))
	if errors.Is(err, sql.ErrNoRows) {
		return c, domain.NotFound(connector.Aggregate.Noun, id)
	}
	if err != nil {
		return c, fmt.Errorf("connector %s: %w", id, err)
	}
	return c, nil
}

// Filter narrows a list. Empty fields do not.
type Filter struct {
	Workspace string // the caller's; required
	Type      string
	Status    string
	Search    string // in the name
}

// SortFields are the fields a list can be sorted by.
var SortFields = []string{"created_at", "updated_at", "name"}

var sorts = query.Sorts{"created_at": "created_at", "updated_at": "updated_at", "name": "name"}

// List reads a page of a workspace's connectors.
func (q *Queries) List(ctx context.Context, f Filter, p query.Page) (query.Result[Connector], error) {
	where := new(query.Where).Eq("workspace", f.Workspace).EqIf("type", f.Type).EqIf("status", f.Status)
	if f.Search != "" {
		where.And("instr(lower(name), lower(?)) > 0", f.Search)
	}
	l := query.List{Columns: "revision, state", From: "connectors", Where: where, ID: "id", Sorts: sorts, Default: "created_at"}
	return query.Run(ctx, q.db, l, p, scanConnector)
}

const scanColumns = `id, connector, requested_at, requested_by, completed_at, files, failed`

func scanScan(r query.Row) (s Scan, err error) {
	err = r.Scan(&s.ID, &s.Connector, fold.At{Into: &s.RequestedAt}, &s.RequestedBy, fold.At{Into: &s.CompletedAt}, &s.Count, &s.Failed)
	return s, err
}

// Scans reads a page of a connector's scans, the latest first, without their
// files. NOT_FOUND when there is no such connector in the workspace.
func (q *Queries) Scans(ctx context.Context, workspace, id string, p query.Page) (query.Result[Scan], error) {
	if _, err := q.Get(ctx, workspace, id); err != nil {
		return query.Result[Scan]{}, err
	}
	p.Desc = true
	l := query.List{Columns: scanColumns, From: "scans", Where: new(query.Where).Eq("connector", id), ID: "id",
		Sorts: query.Sorts{"requested_at": "requested_at"}, Default: "requested_at"}
	return query.Run(ctx, q.db, l, p, scanScan)
}

// Scan reads a scan with its files. NOT_FOUND when the connector has none such,
// or is not of the workspace.
func (q *Queries) Scan(ctx context.Context, workspace, id, scan string) (Scan, error) {
	if _, err := q.Get(ctx, workspace, id); err != nil {
		return Scan{}, err
	}
	s, err := scanScan(q.db.QueryRow(ctx, `SELECT `+scanColumns+` FROM scans WHERE id = ? AND connector = ?`, scan, id))
	if errors.Is(err, sql.ErrNoRows) {
		return s, domain.NotFound("scan", scan)
	}
	if err != nil {
		return s, fmt.Errorf("scan %s: %w", scan, err)
	}
	rows, err := q.db.Query(ctx, `SELECT file, open, error, result FROM scan_files WHERE scan = ? ORDER BY place`, scan)
	if err != nil {
		return s, err
	}
	defer rows.Close()
	for rows.Next() {
		var f File
		var result []byte
		if err := rows.Scan(&f.Name, &f.Open, &f.Error, &result); err != nil {
			return s, err
		}
		if len(result) > 0 {
			if err := json.Unmarshal(result, &f.Found); err != nil {
				return s, err
			}
		}
		s.Files = append(s.Files, f)
	}
	return s, rows.Err()
}

// Place names what there is to do: a file that is to be looked into, or a
// connector that was never tried.
type Place struct {
	Organization, Workspace string
	Connector, Scan, File   string
}

// Open reads the files that are still to be looked into, the oldest scans first.
func (q *Queries) Open(ctx context.Context, limit int) ([]Place, error) {
	return q.places(ctx, `SELECT c.organization, c.workspace, c.id, f.scan, f.file FROM scan_files f
	JOIN scans s ON s.id = f.scan JOIN connectors c ON c.id = f.connector WHERE f.open = 1
	ORDER BY s.requested_at, s.id, f.place LIMIT ?`, limit)
}

// Untried reads the connectors that were created and not tried.
func (q *Queries) Untried(ctx context.Context) ([]Place, error) {
	return q.places(ctx, `SELECT organization, workspace, id, '', '' FROM connectors WHERE status = ? ORDER BY id`, string(connector.Pending))
}

func (q *Queries) places(ctx context.Context, statement string, args ...any) ([]Place, error) {
	rows, err := q.db.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Place
	for rows.Next() {
		var p Place
		if err := rows.Scan(&p.Organization, &p.Workspace, &p.Connector, &p.Scan, &p.File); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return slices.Clip(out), rows.Err()
}
