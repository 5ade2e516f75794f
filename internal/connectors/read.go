package connectors

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"strata/domain"
	"strata/internal/tabular"
)

// File is a file of a connector.
type File struct {
	Name         string    `json:"name"`
	Size         int64     `json:"size"`
	LastModified time.Time `json:"last_modified,omitzero"`
}

// List is Files without its pages.
func (s *Service) List(ctx context.Context, p domain.Principal, id, prefix string, limit int) ([]File, error) {
	pages, err := s.Files(ctx, p, id, prefix, limit)
	if err != nil {
		return nil, err
	}
	out := []File{}
	for _, page := range pages {
		for _, o := range page {
			if len(out) < limit {
				out = append(out, File{Name: o.Key, Size: o.Size, LastModified: o.LastModified})
			}
		}
	}
	return out, nil
}

// Text reads a file as a text, of most bytes at most. Errors: PAYLOAD_TOO_LARGE for
// one that is larger; else as Open.
func (s *Service) Text(ctx context.Context, p domain.Principal, id, file string, most int64) (text string, err error) {
	b, err := s.bucket(ctx, p, id)
	if err != nil {
		return "", err
	}
	f, err := b.Open(ctx, file)
	if err != nil {
		return "", err
	}
	if f.Size() > most {
		return "", domain.Errorf(domain.CodePayloadTooLarge, "the file %q has %d bytes, more than %d", file, f.Size(), most)
	}
	r, err := f.Range(ctx, 0, -1)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	body, err := io.ReadAll(r)
	return strings.ToValidUTF8(string(body), "\uFFFD"), err
}

// Rows is a part of a file that is a table.
type Rows struct {
	Columns []string                   `json:"columns"`
	Rows    []map[string]tabular.Value `json:"rows"`
	Count   int                        `json:"count"`
	More    bool                       `json:"more"` // there are further ones behind them
}

// Rows reads rows of a file, limit at most, after the first offset of them. Errors:
// as Open; VALIDATION_ERROR, naming "file", for a file that is broken further down.
func (s *Service) Rows(ctx context.Context, p domain.Principal, id, file string, offset, limit int) (out Rows, err error) {
	t, err := s.Open(ctx, p, id, file)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	out.Rows = []map[string]tabular.Value{}
	for at := 0; ; at++ {
		row, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return out, noTable(file, err)
		}
		if at < offset {
			continue
		}
		if out.More = len(out.Rows) == limit; out.More {
			break
		}
		names := t.Schema().Names()
		object := make(map[string]tabular.Value, len(row))
		for i, v := range row {
			object[names[i]] = v
		}
		out.Rows = append(out.Rows, object)
	}
	out.Columns, out.Count = t.Schema().Names(), len(out.Rows)
	return out, nil
}
