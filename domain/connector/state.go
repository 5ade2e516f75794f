package connector

import (
	"slices"
	"time"

	"strata/domain"
)

// Type says what kind of place a connector leads to.
type Type string

// AWSS3 is a bucket of Amazon S3, or of anything that speaks its protocol.
const AWSS3 Type = "aws-s3"

// Status of a connector.
type Status string

// The statuses.
const (
	Pending  Status = "pending"  // not yet tried
	Scanning Status = "scanning" // files are being looked into
	Active   Status = "active"   // could be reached when last tried
	Failed   Status = "error"    // could not; see State.Reason
)

// Statuses lists the statuses, for validation and documentation.
func Statuses() []Status { return []Status{Pending, Scanning, Active, Failed} }

// Scan is a scan that has files left to look into.
type Scan struct {
	ID     string
	By     string   // who asked for it
	Open   []string // files not reported on
	Failed int
}

// State is what is known of a connector at one revision.
type State struct {
	ID            string
	Name          string
	Type          Type
	S3            S3
	Credentials   string // sealed; "" for a place that anybody may read
	Tried         Status // how the last try went, or what was reported since: pending, active or error
	Reason        string // why, for error
	Scans         []Scan // those under way
	Exists        bool
	Deleted       bool
	CreatedAt     time.Time
	CreatedBy     string
	UpdatedAt     time.Time
	LastTestedAt  time.Time
	LastScannedAt time.Time // when a scan was last completed
	ReportedAt    time.Time // the moment that the latest report from outside is about
}

// Status is what the connector is doing, or how it is.
func (s *State) Status() Status {
	if len(s.Scans) > 0 {
		return Scanning
	}
	return s.Tried
}

// Aggregate folds the streams of connectors.
var Aggregate = &domain.Aggregate[State]{
	Category: "connector_instance", Prefix: "con", Noun: "connector", Fold: "1",
	New:   func(id string) *State { return &State{ID: id} },
	Apply: func(s *State, e domain.Event) { s.apply(e) },
	Facts: FactTypes(),
}

func (s *State) apply(e domain.Event) {
	at := e.Meta.OccurredAt
	switch f := e.Fact.(type) {
	case Created:
		s.Exists, s.CreatedAt, s.CreatedBy, s.Tried = true, at, e.Meta.Actor, Pending
		s.Name, s.Type, s.S3, s.Credentials = f.Name, f.Type, f.S3, f.Credentials
	case Connected:
		s.Tried, s.Reason, s.LastTestedAt = Active, "", at
	case ConnectionFailed:
		s.Tried, s.Reason, s.LastTestedAt = Failed, f.Reason, at
	case ScanRequested:
		s.Scans = append(slices.Clone(s.Scans), Scan{ID: f.ScanID, By: e.Meta.Actor, Open: slices.Clone(f.Files)})
	case FileScanned:
		s.report(f.ScanID, f.File, false)
	case FileScanFailed:
		s.report(f.ScanID, f.File, true)
	case ScanCompleted:
		s.LastScannedAt = at
		s.Scans = slices.DeleteFunc(slices.Clone(s.Scans), func(c Scan) bool { return c.ID == f.ScanID })
	case StatusReported:
		s.reported(f)
	case Deleted:
		s.Deleted, s.Scans = true, nil
	}
	s.UpdatedAt = at
}

// report takes a file off a scan's list.
func (s *State) report(scan, file string, failed bool) {
	s.Scans = slices.Clone(s.Scans)
	for i := range s.Scans {
		c := &s.Scans[i]
		if c.ID != scan {
			continue
		}
		c.Open = slices.DeleteFunc(slices.Clone(c.Open), func(open string) bool { return open == file })
		if failed {
			c.Failed++
		}
	}
}

func (s *State) reported(f StatusReported) {
	s.ReportedAt = f.At
	if f.Event == "deleted" {
		s.Tried, s.Reason = Failed, "it was deleted where it is kept"
		return
	}
	switch f.Status {
	case Active, Pending:
		s.Tried, s.Reason = f.Status, ""
	case Failed:
		s.Tried, s.Reason = Failed, "reported from outside"
		if why := f.Payload.String("error"); why != "" {
			s.Reason = why
		}
	}
}

func (s *State) there() error {
	if !s.Exists || s.Deleted {
		return domain.NotFound(Aggregate.Noun, s.ID)
	}
	return nil
}

// scan finds a scan under way that a file is still open in.
func (s *State) scan(id, file string) (Scan, bool) {
	for _, c := range s.Scans {
		if c.ID == id {
			return c, slices.Contains(c.Open, file)
		}
	}
	return Scan{}, false
}
