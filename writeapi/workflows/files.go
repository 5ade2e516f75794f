package workflows

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"strata/commands/steps"
	"strata/domain"
	"strata/domain/workflow"
	"strata/internal/connectors"
)

// Connectors reads the places that customers keep files in. Errors: NOT_FOUND,
// VALIDATION_ERROR, CONFLICT when a place refuses, SERVICE_UNAVAILABLE, TIMEOUT.
type Connectors interface {
	List(ctx context.Context, p domain.Principal, id, prefix string, limit int) ([]connectors.File, error)
	Text(ctx context.Context, p domain.Principal, id, file string, most int64) (string, error)
	Rows(ctx context.Context, p domain.Principal, id, file string, offset, limit int) (connectors.Rows, error)
}

// readTime is how long reading a connector may take where the node does not say.
const readTime = 2 * time.Minute

// readFiles lists files of a connector, or reads one. It changes nothing there, so it
// may be done again.
func (s *Service) readFiles(ctx context.Context, run steps.Ref, j *job, vars map[string]any) (came, error) {
	var c workflow.ConnectorConfig
	config, err := j.fill(vars, &c)
	if err != nil {
		return came{}, err
	}
	out := came{input: config}
	ctx, cancel := j.within(ctx, s.Handler.Now(), readTime)
	defer cancel()
	if c.Limit < 0 || c.Limit > workflow.MaxRows || c.Offset < 0 {
		return out, domain.Errorf(domain.CodeValidation, "limit must be from 1 to %d, and offset not negative", workflow.MaxRows)
	}
	out.output, err = s.filesOf(ctx, domain.System(run.Organization, run.Workspace), &c)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = domain.Errorf(domain.CodeTimeout, "reading the connector took too long")
	}
	return out, mark(err)
}

func (s *Service) filesOf(ctx context.Context, p domain.Principal, c *workflow.ConnectorConfig) (any, error) {
	limit := cmp.Or(c.Limit, workflow.DefaultRows)
	switch c.Operation {
	case workflow.ListFiles:
		files, err := s.Connectors.List(ctx, p, c.Connector, string(c.Prefix), limit)
		if err != nil {
			return nil, err
		}
		return plainJSON(map[string]any{"files": files, "count": len(files)})
	case workflow.ReadFile:
		text, err := s.Connectors.Text(ctx, p, c.Connector, string(c.File), maxResponse)
		if err != nil {
			return nil, err
		}
		object := map[string]any{"file": c.File, "text": text}
		var value any
		if json.Unmarshal([]byte(text), &value) == nil {
			object["json"] = value
		}
		return object, nil
	case workflow.ReadRows:
		rows, err := s.Connectors.Rows(ctx, p, c.Connector, string(c.File), c.Offset, limit)
		if err != nil {
			return nil, err
		}
		return plainJSON(rows)
	}
	return nil, domain.Errorf(domain.CodeValidation, "there is no operation %q of connectors", c.Operation)
}
