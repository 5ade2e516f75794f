//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"strata/test/kit"
)

// reaching is a server of its own that may connect to this machine.
func reaching(t *testing.T) *kit.Server {
	t.Helper()
	oneProcess(t, "needs a server with settings of its own")
	return kit.Start(t, kit.Options{Env: []string{"STRATA_OUTBOUND_PRIVATE=127.0.0.0/8"}})
}

// connect makes a connector to a bucket of an S3 server.
func connect(t *testing.T, c tenant, s3 *kit.S3, bucket string) string {
	t.Helper()
	a := c.Create(t, "/v1/connectors", object{"name": "Churn data", "type": "aws-s3", "s3": object{"bucket": bucket, "endpoint": s3.URL,
		"region": "us-east-1", "access_key_id": s3.AccessKeyID, "secret_access_key": s3.SecretAccessKey}})
	a.Want("status", "active", "region", "us-east-1", "provider", "127.0.0.1", "name", "Churn data")
	if strings.Contains(a.Short(), s3.SecretAccessKey) {
		t.Error("the answer holds the secret")
	}
	return a.Str("id")
}

type customer struct {
	ID    int64   `parquet:"id"`
	Spend float64 `parquet:"spend,optional"`
}

func TestConnectors(t *testing.T) {
	c, s3 := newTenant(t, reaching(t)), kit.StartS3(t)
	s3.Put(t, "churn", "data/customers.csv", []byte("id,age,plan\n1,30,pro\n2,,free\n3,50,pro\n"))
	s3.Put(t, "churn", "data/broken.jsonl", []byte("{\"a\":1}\nno JSON\n"))
	s3.Put(t, "churn", "notes.txt", []byte("x"))
	var table bytes.Buffer
	w := parquet.NewGenericWriter[customer](&table)
	if _, err := w.Write([]customer{{1, 2.5}, {2, 3.5}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	s3.Put(t, "churn", "data/spend.parquet", table.Bytes())
	id := connect(t, c, s3, "churn")

	t.Run("files", func(t *testing.T) {
		all := c.Get(t, "/v1/connectors/"+id+"/files")
		if pages, ok := all.JSON.([]any); !ok || len(pages) != 1 || len(pages[0].([]any)) != 4 {
			t.Fatalf("%s", all.Short())
		}
		some := c.Get(t, "/v1/connectors/"+id+"/files?prefix=data/&limit=2").JSON.([]any)
		files := some[0].([]any)
		if len(files) != 2 || files[0].(object)["key"] != "data/broken.jsonl" || files[1].(object)["size"] != json.Number("38") {
			t.Errorf("%v", some)
		}
		c.Do(t, http.StatusBadRequest, "GET", "/v1/connectors/"+id+"/files?limit=0", nil)
	})

	t.Run("scan", func(t *testing.T) {
		asked := c.Post(t, "/v1/connectors/"+id+"/scan", object{"files": []string{"data/customers.csv", "data/broken.jsonl", "data/spend.parquet", "absent.csv"}})
		at := "/v1/connectors/" + id + "/scans/" + asked.Str("id")
		c.Get(t, at, asked.After()...).Want("file_count", 4)
		var done *kit.Answer
		kit.Eventually(t, visible, "the scan is completed", func() error {
			done = c.Get(t, at)
			return kit.Differ("status", done.Str("status"), "completed")
		})
		done.Want("failed_count", 2, "files.0.rows", 3, "files.0.columns.1.name", "age", "files.0.columns.1.type", "integer", "files.0.columns.1.nulls", 1,
			"files.0.columns.1.mean", 40, "files.0.columns.2.top.0.value", "pro", "files.0.columns.2.top.0.count", 2,
			"files.1.status", "failed", "files.2.format", "parquet", "files.2.columns.1.max", 3.5, "files.3.status", "failed")
		if says := done.Str("files.1.error"); !strings.Contains(says, "line 2") {
			t.Errorf("the fault of a file is %q", says)
		}
		c.Get(t, "/v1/connectors/"+id).Want("status", "active")
		c.Get(t, "/v1/connectors/"+id+"/scans").Want("count", 1, "data.0.status", "completed")
		c.Get(t, "/api/v1/connectors/aws-s3/instances/"+id+"/scans/"+asked.Str("id")).Want("data.files.0.columns.1.distinctExact", true)
	})

	t.Run("the other mount", func(t *testing.T) {
		made := c.Create(t, "/api/v1/connectors/aws-s3/instances", object{"name": "Public", "config": object{"bucket": "absent", "endpoint": s3.URL},
			"credentials": object{"accessKeyId": s3.AccessKeyID, "secretAccessKey": s3.SecretAccessKey}})
		made.Want("data.status", "error", "data.error", "the bucket cannot be read: there is no such bucket", "data.connectorId", "aws-s3")
		c.Get(t, "/api/v1/connectors/aws-s3/instances", made.After()...).Want("data.0.id", made.Str("data.id"))
		s3.Put(t, "absent", "x.csv", []byte("a\n1\n"))
		one := "/api/v1/connectors/aws-s3/instances/" + made.Str("data.id")
		c.Post(t, one+"/test", nil).Want("data.ok", true)
		c.Do(t, http.StatusNotFound, "GET", "/api/v1/connectors/postgres/instances", nil)
		gone := c.Delete(t, one).Want("data.deleted", true)
		c.Do(t, http.StatusNotFound, "GET", one, nil, gone.After()...)
	})

	t.Run("refused", func(t *testing.T) {
		c.Do(t, http.StatusBadRequest, "POST", "/v1/connectors", object{"type": "postgres"}).Want("code", "VALIDATION_ERROR")
		c.Do(t, http.StatusBadRequest, "POST", "/v1/connectors", object{"name": "x", "type": "aws-s3"}).Want("details.0.field", "s3.bucket")
		stranger := newTenant(t, kit.At(c.URL))
		for _, path := range []string{"", "/files", "/scans"} {
			stranger.Do(t, http.StatusNotFound, "GET", "/v1/connectors/"+id+path, nil)
		}
		stranger.Do(t, http.StatusNotFound, "POST", "/v1/connectors/"+id+"/scan", object{})
	})

	gone := c.Delete(t, "/v1/connectors/"+id).Want("id", id)
	c.Do(t, http.StatusNotFound, "GET", "/v1/connectors/"+id, nil, gone.After()...)
	c.Do(t, http.StatusNotFound, "GET", "/v1/connectors/"+id+"/files", nil)
}

// What only the server can reach is not reached for a tenant.
func TestConnectorsStayOutside(t *testing.T) {
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a private address was asked") }))
	t.Cleanup(inner.Close)
	c := onShared(t)
	c.Create(t, "/v1/connectors", object{"name": "x", "type": "aws-s3", "s3": object{"bucket": "churn", "endpoint": inner.URL}}).Want("status", "error")
	c.Create(t, "/v1/clusters", object{"manager_url": inner.URL, "ingress_url": inner.URL})
	c.Get(t, "/v1/clusters").Want("status", "unreachable")
}

// sign sends a report as a cluster's manager does.
func sign(t *testing.T, c tenant, secret string, report object, headers ...string) (int, *kit.Answer) {
	t.Helper()
	body, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	now := fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", now, body)
	nobody := kit.At(c.URL).ClientFor("")
	a, err := nobody.Call(context.Background(), "POST", "/v1/webhooks", json.RawMessage(body), append([]string{"X-Webhook-Timestamp", now,
		"X-Webhook-Signature", "sha256=" + hex.EncodeToString(mac.Sum(nil))}, headers...)...)
	if err != nil {
		t.Fatal(err)
	}
	return a.Status, a.For(t)
}

func TestClusters(t *testing.T) {
	manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cr3t" || r.URL.Path != "/status" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, err := w.Write([]byte(`{"inference":{"replicas":2},"ingress":{"ready":true},"nodes":[{"name":"gpu-1"}],"resources":{"gpu":8}}`))
		if err != nil && !errors.Is(err, http.ErrAbortHandler) {
			t.Error(err)
		}
	}))
	t.Cleanup(manager.Close)
	c := newTenant(t, reaching(t))
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		c.Do(t, http.StatusNotFound, method, "/v1/clusters", object{})
	}
	made := c.Create(t, "/v1/clusters", object{"name": "GPU", "manager_url": manager.URL, "ingress_url": "https://models.example.com", "token": "wrong"})
	made.Want("name", "GPU", "token", "********", "ingress_url", "https://models.example.com")
	secret := made.Str("webhook_secret")
	c.Do(t, http.StatusConflict, "POST", "/v1/clusters", object{"manager_url": manager.URL, "ingress_url": manager.URL})
	c.Get(t, "/v1/clusters").Want("status", "unreachable", "error", "the cluster's manager answers 401")
	c.Put(t, "/v1/clusters", object{"token": "s3cr3t"}).Want("id", made.Str("id"), "manager_url", manager.URL)
	state := c.Get(t, "/v1/clusters").Want("status", "reachable", "nodes.0.name", "gpu-1", "inference.replicas", 2, "ingress.ready", true, "resources.gpu", 8)
	if strings.Contains(state.Short(), secret) || strings.Contains(state.Short(), "s3cr3t") {
		t.Error("a secret is shown again")
	}
	c.Get(t, "/api/v1/clusters").Want("data.managerUrl", manager.URL)

	con := c.Create(t, "/v1/connectors", object{"name": "x", "type": "aws-s3", "s3": object{"bucket": "churn", "endpoint": manager.URL}}).Str("id")
	report := object{"id": con, "event": "updated", "status": "active", "timestamp": "2030-01-15T10:30:00Z", "type": "aws-s3"}
	status, a := sign(t, c, secret, report)
	if status != http.StatusOK || a.Str("id") != con {
		t.Fatalf("%d %s", status, a.Short())
	}
	c.Get(t, "/v1/connectors/"+con, a.After()...).Want("status", "active")
	older := object{"id": con, "status": "error", "timestamp": "2029-01-15T10:30:00Z"}
	if status, a := sign(t, c, secret, older); status != http.StatusOK {
		t.Errorf("%d %s", status, a.Short())
	}
	c.Get(t, "/v1/connectors/"+con).Want("status", "active")
	for want, body := range map[int]object{404: {"id": "con_00000000000000000000000000"}, 400: {"status": "active"}} {
		if status, a := sign(t, c, secret, body); status != want {
			t.Errorf("%d %s, want %d", status, a.Short(), want)
		}
	}
	rotated := c.Post(t, "/v1/clusters/webhook-secret", nil).Str("webhook_secret")
	if status, a := sign(t, c, secret, report); status != http.StatusUnauthorized {
		t.Errorf("with the old secret: %d %s", status, a.Short())
	}
	if status, a := sign(t, c, rotated, report); status != http.StatusOK {
		t.Errorf("with the new secret: %d %s", status, a.Short())
	}
	c.Delete(t, "/v1/clusters").Want("id", made.Str("id"))
	c.Do(t, http.StatusNotFound, "GET", "/v1/clusters", nil)
}
