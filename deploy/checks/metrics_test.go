package checks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

const adminKey = "sk-strata-checks-admin-key-0123456789"

// start starts a role on a free port and returns its URL once it is ready.
func start(t *testing.T, role string, flags ...string) string {
	t.Helper()
	binary := os.Getenv("STRATA_BIN")
	if binary == "" {
		binary = "../../bin/strata"
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command(binary, append([]string{role, "--listen", address, "--data-dir", filepath.Join(t.TempDir(), "data")}, flags...)...)
	cmd.Env = append(cmd.Environ(), "STRATA_ADMIN_KEY="+adminKey)
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("make binary first: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the test ends it
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(15 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("the server said: %s", &log)
		}
	})
	url := "http://" + address
	eventually(t, "the server is ready", func() error { return get(url + "/readyz") })
	return url
}

func get(url string) error {
	res, err := http.Get(url)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func post(t *testing.T, url, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusNotFound {
		t.Fatalf("%s answers %s", url, res.Status)
	}
}

// scrape reads /metrics: names of series and the labels they have.
func scrape(url string) (map[string]map[string]bool, error) {
	res, err := http.Get(url + "/metrics")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	parse := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parse.TextToMetricFamilies(res.Body)
	if err != nil {
		return nil, err
	}
	series := map[string]map[string]bool{}
	for name, family := range families {
		names := []string{name}
		if family.GetType().String() == "HISTOGRAM" {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, n := range names {
			series[n] = map[string]bool{"le": strings.HasSuffix(n, "_bucket")}
			for _, m := range family.GetMetric() {
				for _, l := range m.GetLabel() {
					series[n][l.GetName()] = true
				}
			}
		}
	}
	return series, nil
}

// given are labels and series that Prometheus adds itself.
var given = map[string]bool{"job": true, "instance": true, "role": true, labels.MetricName: true}

// TestQueriesAskForWhatThereIs looks for every series and label that the
// dashboard and the alerts name at a server and an edge that have had something to do.
func TestQueriesAskForWhatThereIs(t *testing.T) {
	url := start(t, "serve")
	edge := start(t, "edge", "--edge-write", url, "--edge-read", url)
	// A provider that is not there: calls to it fail until it is left alone.
	post(t, url+"/api/v1/providers", `{"name":"gone","type":"openai_compatible","baseUrl":"http://127.0.0.1:1","apiKey":"sk","models":["m"]}`)
	eventually(t, "everything that is asked for is there", func() error {
		post(t, url+"/openai/v1/chat/completions", `{"model":"gone/m","messages":[{"role":"user","content":"hello"}],"max_tokens":5}`)
		post(t, edge+"/openai/v1/embeddings", `{"model":"strata/embed-1","input":"hello"}`)
		there, err := scrape(url)
		if err != nil {
			return err
		}
		edges, err := scrape(edge)
		if err != nil {
			return err
		}
		maps.Copy(there, edges)
		var missing []error
		for where, expr := range queries(t) {
			missing = append(missing, lacking(where, expr, there)...)
		}
		return errors.Join(missing...)
	})
}

// lacking names what an expression asks for and nobody has.
func lacking(where string, expr parser.Expr, there map[string]map[string]bool) (missing []error) {
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok || selector.Name == "up" {
			return nil
		}
		has, known := there[selector.Name]
		if !known {
			missing = append(missing, fmt.Errorf("%s: nothing is called %s", where, selector.Name))
			return nil
		}
		asked := map[string]bool{}
		for _, m := range selector.LabelMatchers {
			asked[m.Name] = true
		}
		for _, above := range path {
			if by, ok := above.(*parser.AggregateExpr); ok && !by.Without {
				for _, name := range by.Grouping {
					asked[name] = true
				}
			}
		}
		for name := range asked {
			if !has[name] && !given[name] {
				missing = append(missing, fmt.Errorf("%s: %s has no label %s", where, selector.Name, name))
			}
		}
		return nil
	})
	return missing
}
