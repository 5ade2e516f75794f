package connector

import (
	"encoding/json"
	"net/url"
	"time"

	"strata/domain"
)

// S3 says where a bucket is.
type S3 struct {
	Bucket         string `json:"bucket"`
	Region         string `json:"region,omitempty"`
	Endpoint       string `json:"endpoint,omitempty"` // of services other than Amazon's
	Prefix         string `json:"prefix,omitempty"`   // keys that do not begin so are not seen
	ForcePathStyle bool   `json:"force_path_style,omitempty"`
}

// Created brings a connector into being.
type Created struct {
	Name        string `json:"name"`
	Type        Type   `json:"type"`
	S3          S3     `json:"s3"`
	Credentials string `json:"credentials,omitempty"` // sealed
}

// EventType implements domain.Fact.
func (Created) EventType() string { return "connector_instance.created.v1" }

// Connected says that the place was reached and let us look.
type Connected struct {
	LatencyMS int64 `json:"latency_ms"`
}

// EventType implements domain.Fact.
func (Connected) EventType() string { return "connector_instance.connected.v1" }

// ConnectionFailed says why it was not.
type ConnectionFailed struct {
	Reason string `json:"reason"`
}

// EventType implements domain.Fact.
func (ConnectionFailed) EventType() string { return "connector_instance.connection_failed.v1" }

// ScanRequested asks for files to be looked into.
type ScanRequested struct {
	ScanID string   `json:"scan_id"`
	Files  []string `json:"files"`
}

// EventType implements domain.Fact.
func (ScanRequested) EventType() string { return "connector_instance.scan_requested.v1" }

// ValueCount is how often a value occurs.
type ValueCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Column is one column of a scanned file.
type Column struct {
	Name          string             `json:"name"`
	Type          string             `json:"type"` // integer, number, boolean, datetime, string, null
	Nullable      bool               `json:"nullable"`
	Count         int64              `json:"count"` // cells that are not missing
	Nulls         int64              `json:"nulls"`
	Distinct      int64              `json:"distinct"`
	DistinctExact bool               `json:"distinct_exact"`
	Min           json.RawMessage    `json:"min,omitempty"`
	Max           json.RawMessage    `json:"max,omitempty"`
	Mean          *float64           `json:"mean,omitempty"`
	StdDev        *float64           `json:"std_dev,omitempty"`
	Quantiles     map[string]float64 `json:"quantiles,omitempty"` // by share: "0.5" is the median
	Top           []ValueCount       `json:"top,omitempty"`
	TopExact      bool               `json:"top_exact"`
}

// FileScanned says what a file of a scan holds.
type FileScanned struct {
	ScanID  string   `json:"scan_id"`
	File    string   `json:"file"`
	Format  string   `json:"format"` // csv, jsonl, parquet
	Size    int64    `json:"size"`   // bytes
	ETag    string   `json:"etag,omitempty"`
	Rows    int64    `json:"rows"`
	Columns []Column `json:"columns,omitempty"`
	Subject string   `json:"subject"` // whose key seals the columns: the connector
}

// EventType implements domain.Fact.
func (FileScanned) EventType() string { return "connector_instance.file_scanned.v1" }

// SplitPersonal implements domain.PartlyPersonalFact: that a file was scanned
// stays, what was in it can be erased.
func (f FileScanned) SplitPersonal() (open domain.Fact, personal any, subject string) {
	if len(f.Columns) == 0 || f.Subject == "" {
		return f, nil, ""
	}
	columns := struct {
		Columns []Column `json:"columns"`
	}{f.Columns}
	f.Columns = nil
	return f, columns, f.Subject
}

// FileScanFailed says why a file of a scan could not be read.
type FileScanFailed struct {
	ScanID string `json:"scan_id"`
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// EventType implements domain.Fact.
func (FileScanFailed) EventType() string { return "connector_instance.file_scan_failed.v1" }

// ScanCompleted says that all files of a scan were reported on.
type ScanCompleted struct {
	ScanID string `json:"scan_id"`
	Failed int    `json:"failed"` // files that could not be read
}

// EventType implements domain.Fact.
func (ScanCompleted) EventType() string { return "connector_instance.scan_completed.v1" }

// StatusReported is what somebody else, who looks after the place, says of it.
type StatusReported struct {
	Event   string     `json:"event,omitempty"`
	Name    string     `json:"name,omitempty"`
	Status  Status     `json:"status,omitempty"`
	Payload domain.Doc `json:"payload,omitempty"`
	At      time.Time  `json:"at"` // when it was so, as the sender says
}

// EventType implements domain.Fact.
func (StatusReported) EventType() string { return "connector_instance.status_reported.v1" }

// Deleted removes a connector. Its identifier stays used.
type Deleted struct{}

// EventType implements domain.Fact.
func (Deleted) EventType() string { return "connector_instance.deleted.v1" }

// FactTypes lists the facts of connectors for the codec.
func FactTypes() []domain.FactType {
	return []domain.FactType{
		domain.FactOf[Created](), domain.FactOf[Connected](), domain.FactOf[ConnectionFailed](), domain.FactOf[ScanRequested](),
		domain.FactOf[FileScanned](), domain.FactOf[FileScanFailed](), domain.FactOf[ScanCompleted](), domain.FactOf[StatusReported](),
		domain.FactOf[Deleted](),
	}
}

// SecretFields are the fields of facts that are never shown.
func SecretFields() []string { return []string{"credentials"} }

// Provider is whose service a bucket is at: aws, or the host of its endpoint.
func (s S3) Provider() string {
	if u, err := url.Parse(s.Endpoint); err == nil && u.Host != "" {
		return u.Hostname()
	}
	return "aws"
}
