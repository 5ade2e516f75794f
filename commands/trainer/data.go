package trainer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"strata/domain"
	"strata/domain/training"
	"strata/internal/learn"
	"strata/internal/tabular"
)

// maxCells bounds a table that is learned from: it is kept in memory, in eight
// bytes a cell.
const maxCells = learn.MaxCells

// file is one table of a source.
type file struct{ connector, key string }

// files lists the tables of sources, in their order: the same data gives the
// same model only in the same order.
func (s *Service) files(ctx context.Context, p domain.Principal, sources []training.Source) ([]file, error) {
	var out []file
	for _, src := range sources {
		keys := src.Files
		if len(keys) == 0 {
			found, err := s.cfg.Tables.Files(ctx, p, src.ConnectorID)
			if err != nil {
				return nil, dataFault(ctx, "connector "+src.ConnectorID, err)
			}
			keys = slices.Sorted(slices.Values(found))
		}
		for _, key := range keys {
			out = append(out, file{src.ConnectorID, key})
		}
	}
	if len(out) == 0 {
		return nil, fault{training.BadData, "the connectors have no file that is a table"}
	}
	return out, nil
}

// dataFault is an error about data: worth another try, or the end.
func dataFault(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil || passing(err) {
		return err
	}
	return fault{training.BadData, what + ": " + reason(err)}
}

// columnsOf decides what is read for a training: the features it names, or all
// columns but the target, and how each is understood, by the first file.
func (s *Service) columnsOf(ctx context.Context, p domain.Principal, first file, set *training.Settings) ([]learn.Column, error) {
	r, err := s.cfg.Tables.Open(ctx, p, first.connector, first.key)
	if err != nil {
		return nil, dataFault(ctx, first.key, err)
	}
	schema := slices.Clone(r.Schema())
	if err := r.Close(); err != nil {
		return nil, dataFault(ctx, first.key, err)
	}
	names := set.Features
	if len(names) == 0 {
		names = slices.DeleteFunc(schema.Names(), func(name string) bool { return name == set.Target })
	}
	var out []learn.Column
	for _, name := range names {
		at := schema.Index(name)
		if at < 0 {
			return nil, fault{training.BadData, fmt.Sprintf("%s has no column %q", first.key, name)}
		}
		out = append(out, learn.Column{Name: name, Kind: kindOf(schema[at].Type, slices.Contains(set.Categorical, name))})
	}
	if len(out) == 0 {
		return nil, fault{training.BadData, first.key + " has no column beside the target"}
	}
	target := learn.Column{Name: set.Target, Kind: learn.Category}
	if set.Task == string(learn.Regression) {
		target.Kind = learn.Number
	}
	return append(out, target), nil
}

func kindOf(t tabular.Type, categorical bool) learn.ColumnKind {
	if categorical || t == tabular.String {
		return learn.Category
	}
	return learn.Number
}

// read reads columns of all files into memory. A file may call the target
// otherwise, as its source says.
func (s *Service) read(ctx context.Context, p domain.Principal, files []file, columns []learn.Column, target map[string]string) (*learn.Frame, error) {
	frame := learn.NewFrame(columns)
	for _, f := range files {
		wanted := slices.Clone(columns)
		if name := target[f.connector]; name != "" {
			wanted[len(wanted)-1].Name = name
		}
		if err := s.readFile(ctx, p, f, wanted, frame); err != nil {
			return nil, dataFault(ctx, f.key, err)
		}
	}
	return frame, nil
}

func (s *Service) readFile(ctx context.Context, p domain.Principal, f file, columns []learn.Column, frame *learn.Frame) (err error) {
	r, err := s.cfg.Tables.Open(ctx, p, f.connector, f.key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	places := make([]int, len(columns))
	for i, c := range columns {
		if places[i] = r.Schema().Index(c.Name); places[i] < 0 {
			return fmt.Errorf("there is no column %q", c.Name)
		}
	}
	cells := make([]learn.Cell, len(columns))
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, at := range places {
			cells[i] = learn.Cell{}
			if at < len(row) {
				cells[i] = cellOf(row[at], columns[i].Kind)
			}
		}
		frame.Append(cells)
		if frame.Rows()*len(columns) > maxCells {
			return fmt.Errorf("the table has more than %d cells: name fewer files or features, or train on a cluster", maxCells)
		}
	}
}

// cellOf understands a value as a column does. A number is the same category
// however a file writes it.
func cellOf(v tabular.Value, kind learn.ColumnKind) learn.Cell {
	if v.IsMissing() {
		return learn.Cell{}
	}
	number, isNumber := v.Float()
	if isNumber && (kind == learn.Number || v.Type() == tabular.Integer || v.Type() == tabular.Number) {
		return learn.NumberCell(number)
	}
	return learn.TextCell(v.Text())
}
