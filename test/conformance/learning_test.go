//go:build e2e

package conformance

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	"strata/test/kit"
)

// bucket is the one S3 server of the tests, with data that can be learned.
var bucket = struct {
	sync.Mutex
	*kit.S3
}{}

// s3 starts the S3 server when it is first needed. It lasts as long as the whole test.
func (w *world) s3() *kit.S3 {
	bucket.Lock()
	defer bucket.Unlock()
	if bucket.S3 == nil {
		bucket.S3 = kit.StartS3(whole)
		bucket.Put(whole, "data", "churn/train.csv", []byte(clients(1, 240)))
		bucket.Put(whole, "data", "churn/test.csv", []byte(clients(2, 120)))
		bucket.Put(whole, "data", "churn/readme.txt", []byte("Clients who left."))
	}
	return bucket.S3
}

// s3Config is what a connector to the bucket is created with.
func s3Config(s *kit.S3) object {
	return object{"bucket": "data", "region": "us-east-1", "endpoint": s.URL, "access_key_id": s.AccessKeyID,
		"secret_access_key": s.SecretAccessKey, "force_path_style": true}
}

// clients is a table in which few visits and a high price make clients leave, mostly.
func clients(seed uint64, n int) string {
	r := rand.New(rand.NewPCG(seed, 7))
	var out strings.Builder
	out.WriteString("visits,price,plan,churned\n")
	for range n {
		visits, price := r.Float64()*10, r.Float64()*100
		left := 0
		if price/10-visits+r.NormFloat64() > 0 {
			left = 1
		}
		fmt.Fprintf(&out, "%.3f,%.2f,%s,%d\n", visits, price, []string{"basic", "plus"}[r.IntN(2)], left)
	}
	return out.String()
}

var (
	connectors = maker{"/v1/connectors", func(w *world) object {
		return object{"name": w.name("Bucket"), "type": "aws-s3", "s3": s3Config(w.s3())}
	}}
	benchmarks = maker{"/v1/benchmarks", func(w *world) object {
		return object{"name": w.name("Churn"), "description": "Who left.", "task": "binary_classification", "metrics": []string{"accuracy", "roc_auc"},
			"connectors": []object{reading(w, "churn/test.csv")}}
	}}
	trainings = maker{"/v1/trainings", func(w *world) object {
		return object{"name": w.name("Churn model"), "architecture": "logistic_regression", "data_model_id": dataModels.one(w), "gpu_count": 0,
			"configuration": object{"epochs": 2}, "connectors": []object{reading(w, "churn/train.csv")}, "benchmark_ids": []string{}}
	}}
)

// reading says which file is read, and which of its columns is to be told.
func reading(w *world, file string) object {
	return object{"connector_id": w.once("connector", func() string { return connectors.one(w) }), "files": []string{file},
		"target": "churned", "features": []string{"visits", "price"}}
}

// trained runs a training to its end and returns its id and its last checkpoint's.
func trained(w *world) (training, checkpoint string) {
	w.t.Helper()
	training = trainings.one(w)
	w.eventually("the training succeeds", func() error {
		a := w.send(http.MethodGet, "/v1/trainings/"+training, nil)
		status, _ := a.Lookup("status")
		if status == "succeeded" {
			list := a.List("checkpoints")
			checkpoint = fmt.Sprint(list[len(list)-1].(object)["id"])
			return nil
		}
		return fmt.Errorf("it is %v: %s", status, a.Short())
	})
	return training, checkpoint
}

// learning probes connectors, clusters, trainings and what they are compared by.
func learning(into map[string]probe) {
	crud(into, connectors, nil, http.StatusOK)
	delete(into, "PUT /v1/connectors/{id}")
	into["GET /v1/connectors/{id}/files"] = probe{
		path: func(w *world) map[string]string {
			return map[string]string{"id": w.once("connector", func() string { return connectors.one(w) })}
		},
		list: &listing{id: "key", fill: func(*world) []string { return []string{"churn/train.csv", "churn/test.csv"} },
			filters: map[string]filter{"prefix": {hit: literal("churn/"), miss: "other/"}}},
	}
	into["POST /v1/connectors/{id}/scan"] = probe{path: connectors.id, body: func(*world) object { return object{"files": []string{"churn/train.csv"}} }}
	crud(into, benchmarks, object{"metrics": []string{"f1"}}, http.StatusOK)
	crud(into, trainings, object{"name": "Another name"}, http.StatusOK)
	clusters(into)
	into["POST /v1/evaluations"] = probe{status: http.StatusCreated, body: func(w *world) object {
		_, checkpoint := trained(w)
		return object{"benchmark_id": benchmarks.one(w), "checkpoint_id": checkpoint, "gpu_count": 0}
	}}
	into["GET /v1/checkpoints"] = probe{list: &listing{fill: func(w *world) []string {
		_, a := trained(w)
		_, b := trained(w)
		return []string{a, b}
	}}}
	leaderboards(into)
	into["POST /v1/webhooks"] = probe{body: func(w *world) object {
		return object{"event": "updated", "id": dispatched(w), "type": "training", "status": "running", "timestamp": time.Now().UTC().Format(time.RFC3339), "payload": object{}}
	}, send: signed}
}

func leaderboards(into map[string]probe) {
	into["GET /v1/leaderboards"] = probe{list: &listing{id: "checkpoint_id",
		fill: func(w *world) []string {
			w.memo["benchmark"] = benchmarks.one(w)
			var out []string
			for i := range 3 {
				training, checkpoint := trained(w)
				if i == 0 {
					w.memo["training"], w.memo["checkpoint"] = training, checkpoint
				}
				w.must(http.MethodPost, "/v1/evaluations", object{"benchmark_id": w.memo["benchmark"], "checkpoint_id": checkpoint, "gpu_count": 0}, "id")
				out = append(out, checkpoint)
			}
			return out
		},
		filters: timeFilters(map[string]filter{
			"model_id":                     {hit: func(w *world) string { return w.memo["checkpoint"] }, miss: "ckp_nobody"},
			"benchmarks":                   {hit: func(w *world) string { return w.memo["benchmark"] }, miss: "bmk_nobody"},
			"trainings":                    {hit: func(w *world) string { return w.memo["training"] }, miss: "trn_nobody"},
			"order_by_metric.benchmark_id": {hit: func(w *world) string { return w.memo["benchmark"] }, why: "it orders"},
			"order_by_metric.metric_name":  {hit: literal("roc_auc"), why: "what is not measured is refused"},
			"order_by_metric.direction":    {hit: literal("asc"), why: "it orders"},
			"name":                         {hit: literal("Churn"), miss: "no such name"},
		}),
	}}
}

// clusters probes the cluster of a space: there is one, and no id.
func clusters(into map[string]probe) {
	body := func(w *world) object {
		url := manager(w)
		return object{"name": "gpu", "manager_url": url, "ingress_url": url + "/ingress", "token": "cluster-token"}
	}
	have := func(w *world) map[string]string {
		w.once("cluster", func() string { return w.must(http.MethodPost, "/v1/clusters", body(w), "id") })
		return nil
	}
	into["POST /v1/clusters"] = probe{status: http.StatusCreated, body: body}
	into["GET /v1/clusters"] = probe{path: have}
	into["PUT /v1/clusters"] = probe{path: have, body: func(w *world) object { return object{"token": "another-token", "ingress_url": manager(w)} }}
	into["DELETE /v1/clusters"] = probe{path: have}
}

// manager is a cluster's manager: it has nodes, and takes every training.
func manager(w *world) string {
	return w.once("manager", func() string {
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			answer := object{"inference": object{"models": 1}, "ingress": object{"status": "ready"}, "nodes": []object{{"name": "n1", "status": "ready"}}, "resources": object{"gpus": 8}}
			if r.Method == http.MethodPost {
				rw.WriteHeader(http.StatusAccepted)
				answer = object{"id": "job-1"}
			}
			_ = json.NewEncoder(rw).Encode(answer) // a client that is gone
		}))
		w.root.Cleanup(s.Close)
		return s.URL
	})
}

// dispatched is a training that a cluster works on.
func dispatched(w *world) string {
	w.once("cluster", func() string {
		url := manager(w)
		return w.must(http.MethodPost, "/v1/clusters", object{"name": "gpu", "manager_url": url, "ingress_url": url, "token": "cluster-token"}, "id")
	})
	return trainings.one(w)
}

// signed sends a status update with the signature that the space's secret makes.
func signed(w *world, path string, body object) *kit.Answer {
	w.t.Helper()
	secret := w.once("secret", func() string { return w.must(http.MethodPost, "/v1/clusters/webhook-secret", nil, "webhook_secret") })
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(at + "." + string(text)))
	return w.send(http.MethodPost, path, kit.Raw(text), "X-Webhook-Timestamp", at, "X-Webhook-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
}
