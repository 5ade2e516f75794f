package backup

import (
	"context"
	"fmt"
	"path/filepath"
)

// Verify reads every file of a backup and compares it with the manifest. The
// faults name what is not as it was written; the error is one of reading.
func Verify(ctx context.Context, dir string, o Options) (m *Manifest, faults []error, err error) {
	if m, err = Read(dir); err != nil {
		return nil, nil, err
	}
	all := m.stored()
	for i, s := range all {
		path := filepath.Join(dir, filepath.FromSlash(s.Name))
		sum, size, err := hashFile(ctx, path)
		switch {
		case ctx.Err() != nil:
			return m, faults, ctx.Err()
		case err != nil:
			faults = append(faults, err)
		case size != s.Bytes:
			faults = append(faults, fmt.Errorf("%s has %d bytes, not %d", path, size, s.Bytes))
		case sum != s.SHA256:
			faults = append(faults, fmt.Errorf("%s is damaged: its SHA-256 is not the one in the manifest", path))
		}
		if o.Progress != nil {
			o.Progress(Progress{Done: i + 1, Total: len(all), Bytes: size})
		}
	}
	return m, faults, nil
}
