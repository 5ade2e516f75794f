package config_test

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strata/internal/config"
)

var update = flag.Bool("update", false, "rewrite golden files")

// load runs a loader the way a subcommand does, in a directory of its own.
func load(t *testing.T, yaml string, environ []string, args ...string) (*config.Loaded, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if yaml != "" {
		if err := os.WriteFile(config.DefaultFile, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := config.NewLoader(environ)
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	l.Bind(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return l.Load()
}

func TestDefaultsAreValid(t *testing.T) {
	got, err := load(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Server.Listen != "127.0.0.1:8000" || got.Data.Dir != "data" || got.Server.BodyLimit != 10<<20 {
		t.Errorf("defaults: %+v", got.Config)
	}
}

func TestLaterSourcesOverrideEarlierOnes(t *testing.T) {
	yaml := "server:\n  listen: file:1\n  body_limit: 1MiB\n  request_timeout: 5s\ndata:\n  dir: from-file\n"
	got, err := load(t, yaml,
		[]string{"STRATA_LISTEN=env:2", "STRATA_BODY_LIMIT=2MiB", "PATH=/bin"},
		"--listen", "flag:3")
	if err != nil {
		t.Fatal(err)
	}
	if got.Server.Listen != "flag:3" || got.Server.BodyLimit != 2<<20 ||
		got.Server.RequestTimeout != 5*time.Second || got.Data.Dir != "from-file" {
		t.Errorf("got %+v", got.Server)
	}
	var out bytes.Buffer
	if err := got.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"flag --listen", "environment STRATA_BODY_LIMIT", "strata.yaml:4", "strata.yaml:6", "default",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("print does not tell the source %q:\n%s", want, &out)
		}
	}
}

func TestEveryTypeIsReadFromEverySource(t *testing.T) {
	yaml := "server:\n  cors_origins: [https://a.example, 'https://b.example']\n  rate_limits:\n    free: {key: 7, workspace: 8}\n" +
		"gateway:\n  record_payloads: false\n"
	got, err := load(t, yaml, []string{"STRATA_RATE_LIMIT_PRO_KEY=9"}, "--log-segment-size=8KiB")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Server.CORSOrigins) != 2 || got.Server.RateLimits.Free.Workspace != 8 ||
		got.Server.RateLimits.Pro.Key != 9 || got.Gateway.RecordPayloads || got.Log.SegmentSize != 8<<10 {
		t.Errorf("got %+v", got.Config)
	}
	if got, err = load(t, "", []string{"STRATA_CORS_ORIGINS= https://a.example , *"}, "--record-payloads=false"); err != nil {
		t.Fatal(err)
	}
	if strings.Join(got.Server.CORSOrigins, "|") != "https://a.example|*" || got.Gateway.RecordPayloads {
		t.Errorf("got %+v", got.Config)
	}
}

func TestSwitchNeedsNoValue(t *testing.T) {
	got, err := load(t, "gateway:\n  record_payloads: false\n", nil, "--record-payloads")
	if err != nil || !got.Gateway.RecordPayloads {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	yaml := `
server:
  listen: nonsense
  lissten: x
  body_limit: lots
  listen: again
  rate_limits: 5
telemetry:
  log_level: loud
nobody: 1
`
	_, err := load(t, yaml, []string{"STRATA_CLICKHOUSE_FLUSH_ROWS=many", "STRATA_REQUEST_TIMEOUT=fast"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"strata.yaml:4: server.lissten is not a setting",
		`server.body_limit (from strata.yaml:5): "lots" is not a size`,
		"strata.yaml:6: server.listen is given twice",
		"strata.yaml:7: server.rate_limits must be a mapping",
		"strata.yaml:10: nobody is not a setting",
		`clickhouse.flush_rows (from environment STRATA_CLICKHOUSE_FLUSH_ROWS): "many" is not a whole number`,
		`server.request_timeout (from environment STRATA_REQUEST_TIMEOUT): "fast" is not a duration`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	c := config.Default()
	c.Server.Listen = "8000"
	c.Server.PublicURL = "ftp://x"
	c.Server.BodyLimit = 1
	c.Server.RateLimits.Pro.Key = -1
	c.Server.CORSOrigins = []string{"app.example.com"}
	c.Server.TrustedProxies = []string{"10.0.0.0/8", "proxy"}
	c.Server.IdleTimeout = 0
	c.Data.Dir = ""
	c.ClickHouse.URL = "tcp://user:hunter2@host"
	c.Telemetry.LogFormat = "xml"
	c.Kafka = config.Kafka{Brokers: []string{"kafka"}, CertFile: "c.pem", SASLMechanism: "PLAIN", Compression: "zip", Replication: -1}
	c.Relay.Source = ""
	c.Admin.Key = "short"
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"server.listen", "server.public_url", "server.body_limit", "server.rate_limits.pro.key", "server.cors_origins",
		"server.trusted_proxies", "server.idle_timeout", "data.dir", "clickhouse.url", "telemetry.log_format", "admin.key",
		"kafka.brokers", "kafka.cert_file", "kafka.user", "kafka.compression", "kafka.partitions", "kafka.replication", "relay.source",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows a password: %v", err)
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	got, err := load(t, "", []string{
		"STRATA_ADMIN_KEY=a-very-secret-admin-key", "STRATA_MASTER_KEY=c2VjcmV0",
		"STRATA_CLICKHOUSE_URL=clickhouse://default:hunter2@db:9000,db2:9000/strata",
	})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := got.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"very-secret", "c2VjcmV0", "hunter2"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("print shows %q:\n%s", secret, &out)
		}
	}
	if !strings.Contains(out.String(), "clickhouse://default:xxxxx@db:9000,db2:9000/strata") {
		t.Errorf("print hides the server's address:\n%s", &out)
	}
	fs := flag.NewFlagSet("x", flag.ContinueOnError)
	config.NewLoader(nil).Bind(fs)
	if fs.Lookup("admin-key") != nil || fs.Lookup("master-key") != nil {
		t.Error("a secret has a flag")
	}
}

func TestUnknownVariablesAreWarnings(t *testing.T) {
	got, err := load(t, "", []string{"STRATA_LISSTEN=x", "STRATA_ALSO=y", "OTHER=z"})
	if err != nil {
		t.Fatal(err)
	}
	want := "environment variable STRATA_ALSO is not a setting of Strata\nenvironment variable STRATA_LISSTEN is not a setting of Strata"
	if strings.Join(got.Warnings, "\n") != want {
		t.Errorf("got %q", got.Warnings)
	}
}

func TestNamedFileMustExist(t *testing.T) {
	if _, err := load(t, "", []string{"STRATA_CONFIG=absent.yaml"}); err == nil {
		t.Error("no error for an absent file in the environment")
	}
	if _, err := load(t, "", nil, "--config", "absent.yaml"); err == nil {
		t.Error("no error for an absent file in a flag")
	}
}

func TestFilesThatSayNothing(t *testing.T) {
	for _, text := range []string{"# only a comment\n", "server:\n", "server:\n  listen:\n"} {
		got, err := load(t, text, nil)
		if err != nil || got.Server.Listen != "127.0.0.1:8000" || got.File != config.DefaultFile {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestDocumentation(t *testing.T) {
	var out bytes.Buffer
	if err := config.Markdown(&out); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("..", "..", "docs", "configuration.md")
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%s is out of date: go test ./internal/config -update", golden)
	}
}
