package connector

import (
	"slices"

	"strata/domain"
)

// What one connector may have under way.
const (
	MaxScanFiles = 100 // files of a scan
	MaxScans     = 10  // scans at a time
)

// RequestScan asks for files to be looked into.
type RequestScan struct{ Files []string }

// Decide implements domain.Decider.
func (c RequestScan) Decide(env domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	var f domain.Faults
	f.Add(len(c.Files) == 0, "files", "must name at least one file")
	f.Add(len(c.Files) > MaxScanFiles, "files", "must be at most %d", MaxScanFiles)
	f.Add(slices.Contains(c.Files, ""), "files", "must not hold an empty name")
	sorted := slices.Sorted(slices.Values(c.Files))
	f.Add(len(slices.Compact(sorted)) < len(c.Files), "files", "must differ from each other")
	for _, name := range c.Files {
		f.Add(len(name) > maxPrefix, "files", "%.40q… is longer than a key can be", name)
	}
	if err := f.Err(); err != nil {
		return nil, err
	}
	if len(s.Scans) >= MaxScans {
		return nil, domain.Errorf(domain.CodeConflict, "connector %q has %d scans under way; wait for one of them", s.ID, len(s.Scans))
	}
	return []domain.Fact{ScanRequested{ScanID: env.NewID("scn"), Files: c.Files}}, nil
}

// RecordFile records what was found in a file of a scan, or, with a Reason, why
// nothing was. A file that is not (any more) to be looked into is left as it is:
// somebody else was faster, or the connector is gone.
type RecordFile struct {
	Found  FileScanned
	Reason string
}

// Decide implements domain.Decider.
func (c RecordFile) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	scan, open := s.scan(c.Found.ScanID, c.Found.File)
	if !open || s.Deleted {
		return nil, nil
	}
	var out []domain.Fact
	if c.Reason != "" {
		scan.Failed++
		out = append(out, FileScanFailed{ScanID: c.Found.ScanID, File: c.Found.File, Reason: c.Reason})
	} else {
		c.Found.Subject = s.ID
		out = append(out, c.Found)
	}
	if len(scan.Open) == 1 {
		out = append(out, ScanCompleted{ScanID: scan.ID, Failed: scan.Failed})
	}
	return out, nil
}
