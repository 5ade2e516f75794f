package analytics_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
	"strata/projections/vectors"
)

// clusterConfig makes the engine a cluster "strata" of one shard, itself.
const clusterConfig = `<clickhouse><tcp_port>%s</tcp_port><remote_servers><strata><shard><internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>%[1]s</port></replica></shard></strata></remote_servers></clickhouse>`

var replicatedEngine = regexp.MustCompile(`Replicated(\w*)MergeTree\('[^']*', '[^']*'(?:, )?`)

// withoutKeeper takes out of a statement what needs ClickHouse Keeper, which the
// embedded engine does not have. Distributed tables and all settings stay.
func withoutKeeper(sql string) string {
	sql = strings.ReplaceAll(sql, " ON CLUSTER `strata`", "")
	sql = strings.ReplaceAll(sql, " replicated_deduplication", " non_replicated_deduplication")
	return replicatedEngine.ReplaceAllString(sql, "${1}MergeTree(")
}

// openCluster opens an engine as a cluster. Statements that it was sent with
// ON CLUSTER are counted by count.
func openCluster(t *testing.T) (db *clickhouse.DB, count func() int) {
	t.Helper()
	_, port, err := net.SplitHostPort(clickhousetest.FreeAddress(t))
	must(t, err)
	file := filepath.Join(t.TempDir(), "config.xml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, clusterConfig, port), 0o600))
	server := clickhousetest.Serve(t, clickhouse.Standalone{ConfigFile: file})
	seen := make(chan struct{}, 10_000)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", server.Address
		if r.In.URL.Query().Has("query") {
			return // rows
		}
		sql, err := io.ReadAll(r.In.Body)
		if err != nil {
			return // the client has gone
		}
		if strings.Contains(string(sql), "ON CLUSTER") {
			seen <- struct{}{}
		}
		sql = []byte(withoutKeeper(string(sql)))
		r.Out.Body, r.Out.ContentLength = io.NopCloser(bytes.NewReader(sql)), int64(len(sql))
	}})
	t.Cleanup(proxy.Close)
	return open(t, clickhouse.Config{URL: proxy.URL, Cluster: "strata"}), func() int { return len(seen) }
}

func open(t *testing.T, cfg clickhouse.Config) *clickhouse.DB {
	t.Helper()
	db, err := clickhouse.Open(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() { must(t, db.Stop(context.Background())) })
	clickhousetest.WaitReady(t, db)
	return db
}

// TestOverDistributedTables writes and reads as on a cluster: everything goes
// through distributed tables, only replication itself is left out.
func TestOverDistributedTables(t *testing.T) {
	db, onCluster := openCluster(t)
	o := quick
	o.Owner = analytics.Owner{Installation: named("a"), Instance: "one"}
	w := analytics.NewWriter(db, o)
	_, err := w.Resume(t.Context())
	must(t, err)
	stop := start(t, w)
	items := history(8, 400, "ws_1")
	deliver(t, w, items)
	settled(t, w, last(items))
	stop()
	check(t, db, items)
	var stored, engines uint64
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count() FROM inferences_local").Scan(&stored))
	must(t, db.Conn().QueryRow(t.Context(), "SELECT countIf(engine = 'Distributed') FROM system.tables WHERE database = currentDatabase()").Scan(&engines))
	if stored == 0 || engines != 9 {
		t.Errorf("%d rows behind %d distributed tables", stored, engines)
	}

	before := onCluster()
	must(t, analytics.NewEraser(db).Erase(t.Context(), []string{"ws_1"}, "user_7"))
	var left uint64
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count() FROM inference_payloads WHERE subject = 'user_7'").Scan(&left))
	if left != 0 || onCluster() == before {
		t.Errorf("%d payloads are left; %d statements went to the whole cluster", left, onCluster()-before)
	}
	must(t, analytics.Reset(t.Context(), db))
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count() FROM inferences").Scan(&left))
	if left != 0 {
		t.Errorf("%d rows outlived a reset", left)
	}
}

func named(installation string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return installation, nil }
}

// tryResume resumes a writer, or returns why it is refused: it would try for ever.
// Any other fault may pass.
func tryResume(t *testing.T, w *analytics.Writer) error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := w.Resume(ctx)
		done <- err
	}()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if text := w.Status().Error; strings.Contains(text, analytics.ErrNotOwner.Error()) || strings.Contains(text, "came over Kafka") {
				cancel()
				<-done
				return errors.New(text)
			}
		}
	}
}

// One writer has a database: neither another installation nor another process
// of the same one may write to it.
func TestADatabaseHasOneWriter(t *testing.T) {
	server := clickhousetest.Serve(t, clickhouse.Standalone{})
	writer := func(installation, instance string) *analytics.Writer {
		o := quick
		o.Owner = analytics.Owner{Installation: named(installation), Instance: instance}
		return analytics.NewWriter(open(t, clickhouse.Config{URL: "http://" + server.Address}), o)
	}
	first := writer("a", "one")
	must(t, tryResume(t, first))
	stop := start(t, first)

	if err := tryResume(t, writer("b", "one")); err == nil || !strings.Contains(err.Error(), "another installation") {
		t.Errorf("another installation: %v", err)
	}
	if err := tryResume(t, writer("a", "two")); err == nil || !strings.Contains(err.Error(), "one of this installation") {
		t.Errorf("another process: %v", err)
	}
	must(t, tryResume(t, writer("a", "one"))) // started anew after it was killed

	stop() // in order: it says so, unless the machine was so busy that its claim is old
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := writer("a", "two").Resume(ctx)
	must(t, err)
	if err := tryResume(t, writer("b", "two")); err == nil || !strings.Contains(err.Error(), "another installation") {
		t.Errorf("another installation, later: %v", err)
	}
}

// A distributed table finds the shard of rows that come without one.
func TestKeyedTablesTakeRowsOfOthers(t *testing.T) {
	db, _ := openCluster(t)
	must(t, analytics.Migrate(t.Context(), db))
	for _, statement := range []string{"INSERT INTO vectors (workspace_id, index_id, item_id) SELECT 'ws_1', concat('kb_', toString(number)), 'a' FROM numbers(10)",
		"INSERT INTO rankings (workspace_id, training_id) SELECT concat('ws_', toString(number)), 'a' FROM numbers(10)"} {
		must(t, db.Conn().Exec(t.Context(), statement+" SETTINGS distributed_foreground_insert = 1"))
	}
	var embedded, ranked uint64
	must(t, db.Conn().QueryRow(t.Context(), "SELECT count(), (SELECT count() FROM rankings_local) FROM vectors_local").Scan(&embedded, &ranked))
	if embedded != 10 || ranked != 10 {
		t.Errorf("%d and %d rows of 10 are stored", embedded, ranked)
	}
}

// TestVectorsOverDistributedTables replaces and clears rows where a key's rows must
// meet on one shard.
func TestVectorsOverDistributedTables(t *testing.T) {
	db, _ := openCluster(t)
	must(t, analytics.Migrate(t.Context(), db))
	w, q := vectors.NewWriter(db, nil), vectors.NewQueries(db, nil)
	put := func(at domain.Position, item, text string) vectors.Change {
		return vectors.Change{Position: at, Workspace: "ws_1", Index: "kb_1", Item: item, Rows: []vectors.Row{{Model: "m", Text: text, Embedding: []float32{1, 0}}}}
	}
	must(t, w.Apply(t.Context(), []vectors.Change{put(1, "a", "old"), put(2, "b", "gone"), put(3, "a", "new"),
		{Position: 4, Workspace: "ws_1", Index: "kb_1", Item: "b", Clear: true}}))
	found, err := q.Search(t.Context(), vectors.Query{Workspace: "ws_1", Indexes: []string{"kb_1"}, Model: "m", Vector: []float32{1, 0}})
	must(t, err)
	if len(found) != 1 || found[0].Text != "new" {
		t.Errorf("found %+v", found)
	}
}
