package clickhouse_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
)

// connect opens a server by URL.
func connect(t *testing.T, cfg clickhouse.Config) *clickhouse.DB {
	t.Helper()
	db, err := clickhouse.Open(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() { must(t, db.Stop(context.Background())) })
	return db
}

// eventually tries until it succeeds, for at most 30 s.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestServerWithTLSAndPassword(t *testing.T) {
	certs := clickhousetest.MakeCertificates(t)
	s := clickhousetest.Serve(t, clickhouse.Standalone{
		User: "strata", Password: "pass:word", CertFile: certs.ServerCert, KeyFile: certs.ServerKey, ClientCAFile: certs.CA,
	})
	good := clickhouse.Config{
		URL: "https://strata:pass%3Aword@" + s.Address + "/analytics", CAFile: certs.CA, CertFile: certs.ClientCert, KeyFile: certs.ClientKey,
	}
	db := connect(t, good)
	clickhousetest.WaitReady(t, db)
	var name string
	must(t, db.Conn().QueryRow(t.Context(), "SELECT currentDatabase()").Scan(&name))
	if name != "analytics" || db.Database() != "analytics" {
		t.Errorf("statements are of %q, the database is %q", name, db.Database())
	}
	must(t, db.Conn().Exec(t.Context(), "CREATE TABLE t (n UInt64, s String) ENGINE = MergeTree ORDER BY n"))
	batch, err := db.Conn().PrepareBatch(t.Context(), "INSERT INTO t")
	must(t, err)
	for n := range uint64(1000) {
		must(t, batch.Append(n, strings.Repeat("compressed ", 20)))
	}
	must(t, batch.Send())
	var rows, bytes uint64
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count(), sum(length(s)) FROM t").Scan(&rows, &bytes))
	if rows != 1000 || bytes != 220_000 {
		t.Errorf("%d rows of %d bytes", rows, bytes)
	}

	for what, change := range map[string]func(*clickhouse.Config){
		"a wrong password":         func(c *clickhouse.Config) { c.URL = strings.Replace(c.URL, "pass%3Aword", "hunter2", 1) },
		"an unknown authority":     func(c *clickhouse.Config) { c.CAFile = "" },
		"no certificate of client": func(c *clickhouse.Config) { c.CertFile, c.KeyFile = "", "" },
	} {
		bad := good
		change(&bad)
		err := connect(t, bad).Conn().Ping(t.Context())
		if explained := db.Explain("read", err); err == nil || domain.CodeOf(explained) != domain.CodeUnavailable {
			t.Errorf("%s: %v", what, explained)
		} else if strings.Contains(explained.Error(), "hunter2") {
			t.Errorf("%s: the password is in %q", what, explained)
		}
	}
}

func TestSecondAddressTakesOver(t *testing.T) {
	dir := t.TempDir()
	first := clickhousetest.Serve(t, clickhouse.Standalone{DataDir: dir})
	second := clickhousetest.Standby(t, clickhouse.Standalone{DataDir: dir}) // waits for the directory
	db := connect(t, clickhouse.Config{URL: "http://" + first.Address + "," + second.Address})
	clickhousetest.WaitReady(t, db)
	must(t, db.Conn().Exec(t.Context(), "CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n SETTINGS fsync_after_insert = 1"))
	must(t, db.Conn().Exec(t.Context(), "INSERT INTO kept SELECT number FROM numbers(10)"))
	first.Kill()
	second.WaitServing(t)
	// Reads go on without a fault: connections that broke are made anew.
	for range 8 {
		var rows uint64
		must(t, db.Conn().QueryRow(t.Context(), "SELECT count() FROM kept").Scan(&rows))
		if rows != 10 {
			t.Fatalf("%d rows", rows)
		}
	}
	eventually(t, "the server is ready again", func() error {
		if s := db.Status(); s.State != clickhouse.Ready {
			return domain.Errorf(domain.CodeUnavailable, "%s", s.State)
		}
		return nil
	})
}
