package connector_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/connector"
	"strata/domain/domaintest"
)

var (
	place   = connector.S3{Bucket: "churn", Region: "eu-central-1", Endpoint: "https://s3.example.com", Prefix: "data/", ForcePathStyle: true}
	created = connector.Created{Name: "Churn data", Type: connector.AWSS3, S3: place, Credentials: "sealed:v1:x"}
	asked   = connector.ScanRequested{ScanID: domaintest.ID("scn", 1), Files: []string{"a.csv", "b.csv"}}
	found   = connector.FileScanned{ScanID: asked.ScanID, File: "a.csv", Format: "csv", Size: 10, ETag: `"e"`, Rows: 2, Subject: "con_1", Columns: []connector.Column{{
		Name: "age", Type: "integer", Nullable: true, Count: 1, Nulls: 1, Distinct: 1, DistinctExact: true, Min: json.RawMessage(`1`), Max: json.RawMessage(`1`),
		Mean: new(float64), StdDev: new(float64), Quantiles: map[string]float64{"0.5": 1}, Top: []connector.ValueCount{{Value: "1", Count: 1}}, TopExact: true}}}
	failed    = connector.FileScanFailed{ScanID: asked.ScanID, File: "b.csv", Reason: "is gone"}
	completed = connector.ScanCompleted{ScanID: asked.ScanID, Failed: 1}
	reported  = connector.StatusReported{Event: "updated", Name: "Churn data", Status: connector.Failed,
		Payload: domain.Doc{"error": json.RawMessage(`"disk full"`)}, At: domaintest.At(5)}
)

func TestGolden(t *testing.T) {
	golden := found
	golden.Columns = slices.Clone(found.Columns)
	golden.Columns[0].Mean, golden.Columns[0].StdDev = new(1.5), new(0.5)
	domaintest.Golden(t, connector.FactTypes(), created, connector.Connected{LatencyMS: 12}, connector.ConnectionFailed{Reason: "no such bucket"},
		asked, golden, failed, completed, reported, connector.Deleted{})
}

func TestCreate(t *testing.T) {
	s := domaintest.Given(t, connector.Aggregate).
		When(connector.Create{Name: " Churn data ", Type: connector.AWSS3, S3: place, Credentials: "sealed:v1:x"}).Then(created).State()
	if s.Status() != connector.Pending || s.CreatedAt.IsZero() || s.CreatedBy == "" {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, connector.Aggregate, created).When(connector.Create{Name: "x", Type: connector.AWSS3, S3: place}).ThenError(domain.CodeConflict)
}

func TestCreateNamesEveryFault(t *testing.T) {
	domaintest.Given(t, connector.Aggregate).When(connector.Create{Type: "postgres"}).
		ThenError(domain.CodeValidation, "name", "type", "s3.bucket", "s3.region")
	long := strings.Repeat("x", 2000)
	domaintest.Given(t, connector.Aggregate).
		When(connector.Create{Name: long, Type: connector.AWSS3, S3: connector.S3{Bucket: "-x-", Region: "EU", Endpoint: "ftp://x", Prefix: long}}).
		ThenError(domain.CodeValidation, "name", "s3.bucket", "s3.region", "s3.prefix", "s3.endpoint")
	for _, endpoint := range []string{"https://", "x", "https://user:pw@host", "https://host?x=1", "://"} {
		s3 := place
		s3.Endpoint = endpoint
		domaintest.Given(t, connector.Aggregate).When(connector.Create{Name: "x", Type: connector.AWSS3, S3: s3}).
			ThenError(domain.CodeValidation, "s3.endpoint")
	}
}

func TestTest(t *testing.T) {
	s := domaintest.Given(t, connector.Aggregate, created).When(connector.RecordTest{Reason: "no such bucket"}).
		Then(connector.ConnectionFailed{Reason: "no such bucket"}).State()
	if s.Status() != connector.Failed || s.Reason != "no such bucket" || s.LastTestedAt.IsZero() {
		t.Errorf("%+v", s)
	}
	s = domaintest.Given(t, connector.Aggregate, created, connector.ConnectionFailed{Reason: "x"}).When(connector.RecordTest{LatencyMS: 3}).
		Then(connector.Connected{LatencyMS: 3}).State()
	if s.Status() != connector.Active || s.Reason != "" {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, connector.Aggregate, created, connector.Deleted{}).When(connector.RecordTest{}).ThenError(domain.CodeNotFound)
}

func TestScan(t *testing.T) {
	s := domaintest.Given(t, connector.Aggregate, created, connector.Connected{}).When(connector.RequestScan{Files: asked.Files}).Then(asked).State()
	if s.Status() != connector.Scanning {
		t.Errorf("%+v", s)
	}
	some := found
	some.Subject = "of somebody"
	given := domaintest.Given(t, connector.Aggregate, created, connector.Connected{}, asked).Of("con_1")
	given.When(connector.RecordFile{Found: some}).Then(found)
	s = domaintest.Given(t, connector.Aggregate, created, connector.Connected{}, asked, found).
		When(connector.RecordFile{Found: connector.FileScanned{ScanID: asked.ScanID, File: "b.csv"}, Reason: "is gone"}).Then(failed, completed).State()
	if s.Status() != connector.Active || s.LastScannedAt.IsZero() || len(s.Scans) != 0 {
		t.Errorf("%+v", s)
	}
}

// What comes too late, twice or for nothing changes nothing.
func TestScanIsReportedOnce(t *testing.T) {
	domaintest.Given(t, connector.Aggregate, created, asked, found).When(connector.RecordFile{Found: found}).ThenNothing()
	domaintest.Given(t, connector.Aggregate, created, asked, found, failed, completed).When(connector.RecordFile{Found: found}).ThenNothing()
	domaintest.Given(t, connector.Aggregate, created, asked, connector.Deleted{}).When(connector.RecordFile{Found: found}).ThenNothing()
	domaintest.Given(t, connector.Aggregate, created).When(connector.RecordFile{Found: found}).ThenNothing()
}

func TestScanRefused(t *testing.T) {
	lots := make([]string, connector.MaxScanFiles+1)
	for i := range lots {
		lots[i] = domain.NewID("file")
	}
	for _, files := range [][]string{nil, {""}, {"a", "a"}, lots, {strings.Repeat("x", 1025)}} {
		domaintest.Given(t, connector.Aggregate, created).When(connector.RequestScan{Files: files}).ThenError(domain.CodeValidation, "files")
	}
	many := []domain.Fact{created}
	for range connector.MaxScans {
		many = append(many, connector.ScanRequested{ScanID: domain.NewID("scn"), Files: []string{"a"}})
	}
	domaintest.Given(t, connector.Aggregate, many...).When(connector.RequestScan{Files: []string{"a"}}).ThenError(domain.CodeConflict)
	domaintest.Given(t, connector.Aggregate).When(connector.RequestScan{Files: []string{"a"}}).ThenError(domain.CodeNotFound)
}

func TestReport(t *testing.T) {
	s := domaintest.Given(t, connector.Aggregate, created).When(connector.Report(reported)).Then(reported).State()
	if s.Status() != connector.Failed || s.Reason != "disk full" {
		t.Errorf("%+v", s)
	}
	older := reported
	older.At, older.Status = reported.At.Add(-time.Second), connector.Active
	domaintest.Given(t, connector.Aggregate, created, reported).When(connector.Report(older)).ThenNothing()
	domaintest.Given(t, connector.Aggregate, created).When(connector.Report{Status: "melted"}).ThenError(domain.CodeValidation, "status", "timestamp")
	gone := connector.StatusReported{Event: "deleted", At: domaintest.At(9)}
	if s := domaintest.Fold(connector.Aggregate, "con_1", created, connector.Connected{}, gone); s.Status() != connector.Failed || s.Deleted {
		t.Errorf("what is gone elsewhere can still be looked at here: %+v", s)
	}
}

// Reports may come in any order: what is shown is what the latest says.
func TestReportsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		statuses := []connector.Status{connector.Active, connector.Failed, connector.Pending}
		order := rapid.Permutation([]int{0, 1, 2, 3, 4, 5}).Draw(t, "order")
		log, s := domaintest.NewLog(), connector.Aggregate.New("con_1")
		if err := domaintest.Do(log, connector.Aggregate, "con_1", s, connector.Create{Name: "x", Type: connector.AWSS3, S3: place}); err != nil {
			t.Fatal(err)
		}
		for _, i := range order {
			if err := domaintest.Do(log, connector.Aggregate, "con_1", s, connector.Report{Status: statuses[i%3], At: domaintest.At(10 + i)}); err != nil {
				t.Fatal(err)
			}
		}
		if s.Status() != statuses[5%3] || !s.ReportedAt.Equal(domaintest.At(15)) {
			t.Fatalf("after %v: %v", order, s.Status())
		}
	})
}

func TestDelete(t *testing.T) {
	s := domaintest.Given(t, connector.Aggregate, created, asked).When(connector.Delete{}).Then(connector.Deleted{}).State()
	if len(s.Scans) != 0 {
		t.Errorf("%+v", s)
	}
	domaintest.Given(t, connector.Aggregate, created, connector.Deleted{}).When(connector.Delete{}).ThenError(domain.CodeNotFound)
}

// What was found in a file can be erased; that it was scanned cannot.
func TestErasedColumns(t *testing.T) {
	open, personal, subject := found.SplitPersonal()
	left, ok := open.(connector.FileScanned)
	if !ok || left.Columns != nil || left.Rows != 2 || subject != "con_1" || personal == nil {
		t.Errorf("%+v, %+v, %q", open, personal, subject)
	}
	if _, personal, _ := failedColumns().SplitPersonal(); personal != nil {
		t.Error("an empty file has nothing personal")
	}
}

func failedColumns() connector.FileScanned { f := found; f.Columns = nil; return f }
