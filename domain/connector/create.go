package connector

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"strata/domain"
)

// Create brings a connector into being. Its credentials are sealed already.
type Create struct {
	Name        string
	Type        Type
	S3          S3
	Credentials string
}

const (
	maxName   = 200
	maxPrefix = 1024 // the longest key that S3 knows
)

var (
	bucketName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]$`)
	regionName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
)

// Check names every fault of the input. at is put before the names of S3's
// fields: "s3." where they are below it in the request.
func (c Create) Check(at string) error {
	var f domain.Faults
	name := strings.TrimSpace(c.Name)
	f.Add(name == "", "name", "is required")
	f.Add(len(name) > maxName, "name", "must be at most %d bytes long", maxName)
	f.Add(c.Type != AWSS3, "type", "must be %s", AWSS3)
	f.Add(c.S3.Bucket == "", at+"bucket", "is required")
	f.Add(c.S3.Bucket != "" && !bucketName.MatchString(c.S3.Bucket), at+"bucket", "is not the name of a bucket")
	f.Add(c.S3.Region == "" && c.S3.Endpoint == "", at+"region", "is required unless there is an endpoint")
	f.Add(c.S3.Region != "" && !regionName.MatchString(c.S3.Region), at+"region", "may hold lower case letters, digits and '-'")
	f.Add(len(c.S3.Prefix) > maxPrefix, at+"prefix", "must be at most %d bytes long", maxPrefix)
	if c.S3.Endpoint != "" {
		u, err := url.Parse(c.S3.Endpoint)
		bad := err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != ""
		f.Add(bad, at+"endpoint", "must be an http or https URL without credentials and query")
	}
	return f.Err()
}

// Decide implements domain.Decider.
func (c Create) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := c.Check("s3."); err != nil {
		return nil, err
	}
	if s.Exists {
		return nil, domain.Errorf(domain.CodeConflict, "connector %q exists already", s.ID)
	}
	return []domain.Fact{Created{Name: strings.TrimSpace(c.Name), Type: c.Type, S3: c.S3, Credentials: c.Credentials}}, nil
}

// RecordTest records how a try to reach the place went: Reason is "" when it
// was reached.
type RecordTest struct {
	LatencyMS int64
	Reason    string
}

// Decide implements domain.Decider.
func (c RecordTest) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	if c.Reason != "" {
		return []domain.Fact{ConnectionFailed{Reason: c.Reason}}, nil
	}
	return []domain.Fact{Connected{LatencyMS: c.LatencyMS}}, nil
}

// Report takes in what somebody else says of the place. Reports may come in any
// order and more than once: one that is about an earlier moment than the latest
// changes nothing.
type Report StatusReported

// Decide implements domain.Decider.
func (c Report) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	var f domain.Faults
	f.Add(c.Status != "" && !slices.Contains(Statuses(), c.Status), "status", "must be one of %v", Statuses())
	f.Add(c.At.IsZero(), "timestamp", "is required")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if c.At.Before(s.ReportedAt) {
		return nil, nil
	}
	return []domain.Fact{StatusReported(c)}, nil
}

// Delete removes a connector, whoever still names it: trainings and benchmarks
// that read through it fail from then on and say so. Scans under way end.
type Delete struct{}

// Decide implements domain.Decider.
func (Delete) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	return []domain.Fact{Deleted{}}, nil
}
