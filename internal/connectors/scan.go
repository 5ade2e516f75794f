package connectors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"strata/commands"
	"strata/domain"
	"strata/domain/connector"
	"strata/internal/tabular"
)

// listedForScan is how many files are looked at to find the tables among them.
const listedForScan = 1000

// Scan asks for files of a connector to be looked into; without any, for those
// of its tables that are found first. It does not wait: see [Service.Work].
// Errors: NOT_FOUND; VALIDATION_ERROR; CONFLICT when too many are under way.
func (s *Service) Scan(ctx context.Context, req commands.Request, files []string) (commands.Outcome[connector.State], error) {
	if out, repeated, err := commands.Repeat(ctx, s.Handler, connector.Aggregate, req, show); repeated || err != nil {
		return out, err
	}
	if len(files) == 0 {
		pages, err := s.Files(ctx, req.Principal, req.ID, "", listedForScan)
		if err != nil {
			return commands.Outcome[connector.State]{}, err
		}
		for _, page := range pages {
			for _, o := range page {
				if _, _, err := tabular.FormatOf(o.Key); err == nil && len(files) < connector.MaxScanFiles {
					files = append(files, o.Key)
				}
			}
		}
		if len(files) == 0 {
			return commands.Outcome[connector.State]{}, domain.Errorf(domain.CodeConflict, "the connector has no files that can be read as tables")
		}
	}
	return commands.Run(ctx, s.Handler, connector.Aggregate, req, connector.RequestScan{Files: files}, show)
}

// Job is a file that is to be looked into.
type Job struct {
	Organization, Workspace string
	Connector, Scan, File   string
}

// Queue tells what is to be done, from a read model.
type Queue interface {
	// Open are the first jobs, the oldest first.
	Open(ctx context.Context, limit int) ([]Job, error)
	// Untried are connectors that were created and not tried; Scan and File are "".
	Untried(ctx context.Context) ([]Job, error)
	// Changed holds a token when there may be something new.
	Changed() <-chan struct{}
	// Reach waits until Open knows of an event.
	Reach(ctx context.Context, at domain.Position) error
}

// parallel is how many files are read at a time, in the whole installation.
const parallel = 2

// lookedAt is how many jobs are looked at: more than run, so that those which
// go on are among them.
const lookedAt = 64

// again is how long it takes until a file is looked into again whose result
// could not be recorded.
const again = 5 * time.Second

// Work scans whatever is asked for until ctx ends. It must run once in an
// installation. A file whose scan a process did not finish is read again by the
// next; one whose connector is deleted meanwhile is given up.
func (s *Service) Work(ctx context.Context, q Queue) error {
	untried, err := q.Untried(ctx)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() {
		for _, j := range untried { // created by a process that died before it tried them
			_, _, err := s.Test(ctx, commands.Request{Principal: domain.System(j.Organization, j.Workspace), ID: j.Connector})
			if err != nil && ctx.Err() == nil && domain.CodeOf(err) != domain.CodeNotFound {
				s.Logger.WarnContext(ctx, "a connector was not tried", "connector", j.Connector, "error", err)
			}
		}
	})
	running, ended := map[Job]context.CancelFunc{}, make(chan Job)
	for {
		jobs, err := q.Open(ctx, lookedAt)
		if err != nil {
			return err
		}
		wanted := map[Job]bool{}
		for _, j := range jobs {
			wanted[j] = true
			if running[j] == nil && len(running) < parallel {
				doing, cancel := context.WithCancel(ctx)
				running[j] = cancel
				group.Go(func() {
					s.do(doing, ctx, q, j)
					select {
					case ended <- j:
					case <-ctx.Done():
					}
				})
			}
		}
		for j, cancel := range running {
			if !wanted[j] {
				cancel()
			}
		}
		select {
		case <-q.Changed():
		case j := <-ended:
			running[j]()
			delete(running, j)
		case <-ctx.Done():
			for _, cancel := range running {
				cancel()
			}
			return ctx.Err()
		}
	}
}

// do looks into one file, as long as doing lasts, and records what it found.
func (s *Service) do(doing, ctx context.Context, q Queue, j Job) {
	p := domain.System(j.Organization, j.Workspace)
	found, err := s.describe(doing, p, j)
	if doing.Err() != nil {
		return
	}
	cmd := connector.RecordFile{Found: found}
	cmd.Found.ScanID, cmd.Found.File = j.Scan, j.File
	if err != nil {
		cmd.Reason = scanReason(err)
	}
	req := commands.Request{Principal: p, ID: j.Connector}
	out, err := commands.Run[connector.State, struct{}](ctx, s.Handler, connector.Aggregate, req, cmd, nil)
	if domain.CodeOf(err) == domain.CodePayloadTooLarge && err != nil {
		cmd.Reason = "there is more to say of its columns than can be kept"
		out, err = commands.Run[connector.State, struct{}](ctx, s.Handler, connector.Aggregate, req, cmd, nil)
	}
	if err == nil && out.Position > 0 {
		err = q.Reach(ctx, out.Position)
	}
	if err != nil && ctx.Err() == nil {
		s.Logger.ErrorContext(ctx, "what a scan found was not recorded", "connector", j.Connector, "file", j.File, "error", err)
		select {
		case <-time.After(again):
		case <-doing.Done():
		}
	}
}

// scanReason is why a file could not be scanned: what its field says, without
// the words that go around it in an answer.
func scanReason(err error) string {
	if own, ok := errors.AsType[*domain.Error](err); ok {
		if len(own.Fields) > 0 {
			return own.Fields[0].Message
		}
		return own.Message
	}
	return err.Error()
}

// describe reads a file to its end.
func (s *Service) describe(ctx context.Context, p domain.Principal, j Job) (found connector.FileScanned, err error) {
	t, err := s.Open(ctx, p, j.Connector, j.File)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	profile, _, err := tabular.Describe(ctx, t, 0)
	if err != nil {
		return found, err
	}
	found = connector.FileScanned{Format: string(t.Format), Size: t.Size, ETag: t.ETag, Rows: profile.Rows}
	for _, c := range profile.Columns {
		column, err := columnOf(c)
		if err != nil {
			return found, err
		}
		found.Columns = append(found.Columns, column)
	}
	return found, nil
}

// columnOf writes a column's profile as it is recorded.
func columnOf(c tabular.ColumnProfile) (connector.Column, error) {
	out := connector.Column{Name: c.Name, Type: c.Type.String(), Nullable: c.Nullable, Count: c.Count, Nulls: c.Nulls,
		Distinct: c.Distinct, DistinctExact: c.DistinctExact, Mean: c.Mean, StdDev: c.StdDev, TopExact: c.TopExact}
	for _, v := range c.Top {
		out.Top = append(out.Top, connector.ValueCount(v))
	}
	for i, share := range tabular.Quantiles() {
		if i < len(c.Quantiles) {
			if out.Quantiles == nil {
				out.Quantiles = map[string]float64{}
			}
			out.Quantiles[strconv.FormatFloat(share, 'g', -1, 64)] = c.Quantiles[i]
		}
	}
	for into, v := range map[*json.RawMessage]tabular.Value{&out.Min: c.Min, &out.Max: c.Max} {
		if v.IsMissing() {
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			return out, fmt.Errorf("column %q: %w", c.Name, err)
		}
		*into = b
	}
	return out, nil
}
