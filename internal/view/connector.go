package view

import (
	"encoding/json"
	"time"

	"strata/domain/connector"
)

// Connector is a connector as answers show it: never with its credentials.
type Connector struct {
	ID            string          `json:"id" example:"con_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Name          string          `json:"name" example:"Churn data"`
	ConnectorID   string          `json:"connector_id" doc:"Its type." enum:"aws-s3" example:"aws-s3"`
	Type          string          `json:"type" enum:"aws-s3" example:"aws-s3"`
	Provider      string          `json:"provider" doc:"Whose service it leads to: aws, or the host of its endpoint." example:"aws"`
	Region        string          `json:"region" example:"eu-central-1"`
	Config        ConnectorConfig `json:"config"`
	Status        string          `json:"status" doc:"pending: not tried; active: could be reached when last tried; scanning: files are being looked into." enum:"pending,scanning,active,error" example:"active"`
	Error         string          `json:"error,omitempty" doc:"Why it could not be reached."`
	LastTestedAt  *time.Time      `json:"last_tested_at" nullable:"true"`
	LastScannedAt *time.Time      `json:"last_scanned_at" nullable:"true"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by" doc:"A user or key id."`
	UpdatedAt     time.Time       `json:"updated_at"`
}

// ConnectorConfig says where a bucket is.
type ConnectorConfig struct {
	Bucket         string `json:"bucket" required:"true" doc:"Its name." example:"churn"`
	Region         string `json:"region,omitempty" doc:"Required unless there is an endpoint." example:"eu-central-1"`
	Endpoint       string `json:"endpoint,omitempty" doc:"URL of a service other than Amazon's that speaks S3's protocol."`
	Prefix         string `json:"prefix,omitempty" doc:"Only files whose keys begin so are seen." example:"data/"`
	ForcePathStyle *bool  `json:"force_path_style,omitempty" doc:"The bucket's name is in the path, not in the host's name; true when absent and there is an endpoint."`
}

// ConnectorOf shows a connector.
func ConnectorOf(s *connector.State) Connector {
	path := s.S3.ForcePathStyle
	return Connector{ID: s.ID, Name: s.Name, ConnectorID: string(s.Type), Type: string(s.Type), Provider: s.S3.Provider(), Region: s.S3.Region,
		Config: ConnectorConfig{Bucket: s.S3.Bucket, Region: s.S3.Region, Endpoint: s.S3.Endpoint, Prefix: s.S3.Prefix, ForcePathStyle: &path},
		Status: string(s.Status()), Error: s.Reason, LastTestedAt: timeOrNil(s.LastTestedAt), LastScannedAt: timeOrNil(s.LastScannedAt),
		CreatedAt: s.CreatedAt, CreatedBy: s.CreatedBy, UpdatedAt: s.UpdatedAt}
}

// ConnectorFile is a file of a connector.
type ConnectorFile struct {
	Key          string    `json:"key" example:"data/customers.csv"`
	Size         int64     `json:"size" doc:"Bytes." example:"4096"`
	LastModified time.Time `json:"last_modified"`
	ETag         string    `json:"etag" example:"\"9b2cf535f27731c974343645a3985328\""`
}

// ConnectorTest tells how a try to reach a connector went.
type ConnectorTest struct {
	OK        bool   `json:"ok" example:"true"`
	LatencyMS int64  `json:"latency_ms" example:"12"`
	Message   string `json:"message" doc:"Why it could not be reached." example:""`
}

// ConnectorScan is a scan of files of a connector.
type ConnectorScan struct {
	ID          string        `json:"id" example:"scn_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	ConnectorID string        `json:"connector_id" doc:"Of the connector that is scanned." example:"con_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Status      string        `json:"status" enum:"running,completed" example:"running"`
	FileCount   int           `json:"file_count" example:"1"`
	FailedCount int           `json:"failed_count" doc:"Files that could not be read." example:"0"`
	RequestedAt time.Time     `json:"requested_at"`
	RequestedBy string        `json:"requested_by"`
	CompletedAt *time.Time    `json:"completed_at" nullable:"true"`
	Files       []ScannedFile `json:"files,omitempty" doc:"When one scan is asked for."`
}

// ScannedFile is a file of a scan, with its schema and statistics.
type ScannedFile struct {
	File    string          `json:"file" example:"data/customers.csv"`
	Status  string          `json:"status" enum:"pending,completed,failed" example:"completed"`
	Error   string          `json:"error,omitempty" doc:"Why it could not be read."`
	Format  string          `json:"format,omitempty" enum:"csv,jsonl,parquet" example:"csv"`
	Size    int64           `json:"size" doc:"Bytes." example:"4096"`
	ETag    string          `json:"etag,omitempty"`
	Rows    int64           `json:"rows" example:"100"`
	Columns []ScannedColumn `json:"columns,omitempty"`
}

// ScannedColumn is a column of a scanned file.
type ScannedColumn struct {
	Name          string             `json:"name" example:"age"`
	Type          string             `json:"type" enum:"integer,number,boolean,datetime,string,null" example:"integer"`
	Nullable      bool               `json:"nullable" doc:"Whether values are missing."`
	Count         int64              `json:"count" doc:"Values that are not missing." example:"98"`
	Nulls         int64              `json:"nulls" example:"2"`
	Distinct      int64              `json:"distinct" doc:"Different values." example:"54"`
	DistinctExact bool               `json:"distinct_exact" doc:"Otherwise distinct is an estimate." example:"true"`
	Min           json.RawMessage    `json:"min,omitempty" doc:"A number, or a text or time." example:"18"`
	Max           json.RawMessage    `json:"max,omitempty" example:"91"`
	Mean          *float64           `json:"mean,omitempty" doc:"Of numbers." example:"44.5"`
	StdDev        *float64           `json:"std_dev,omitempty" doc:"Of a sample." example:"12.25"`
	Quantiles     map[string]float64 `json:"quantiles,omitempty" doc:"By share: 0.5 is the median. Ranks are off by at most one percent."`
	Top           []ColumnValue      `json:"top,omitempty" doc:"The most frequent values."`
	TopExact      bool               `json:"top_exact" doc:"Otherwise counts are lower bounds." example:"true"`
}

// ColumnValue is how often a value occurs.
type ColumnValue struct {
	Value string `json:"value" example:"42"`
	Count int64  `json:"count" example:"7"`
}

// ScannedFileOf shows what was found in a file.
func ScannedFileOf(f *connector.FileScanned) ScannedFile {
	out := ScannedFile{File: f.File, Status: "completed", Format: f.Format, Size: f.Size, ETag: f.ETag, Rows: f.Rows}
	for _, c := range f.Columns {
		shown := ScannedColumn{Name: c.Name, Type: c.Type, Nullable: c.Nullable, Count: c.Count, Nulls: c.Nulls, Distinct: c.Distinct,
			DistinctExact: c.DistinctExact, Min: c.Min, Max: c.Max, Mean: c.Mean, StdDev: c.StdDev, Quantiles: c.Quantiles, TopExact: c.TopExact}
		for _, v := range c.Top {
			shown.Top = append(shown.Top, ColumnValue(v))
		}
		out.Columns = append(out.Columns, shown)
	}
	return out
}
