package openaiapi_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strata/gateway"
	"strata/gateway/gatewaytest"
)

// A request and an answer of a common size.
var (
	benchRequest = `{"model":"MODEL","messages":[{"role":"system","content":"` + strings.Repeat("You help customers of a shoe shop. ", 10) +
		`"},{"role":"user","content":"When do you open on Saturdays, and do you have hiking boots?"}],"temperature":0.2,"max_tokens":200}`
	benchAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` +
		strings.Repeat("We open at nine. ", 20) + `"},"finish_reason":"stop"}],"usage":{"prompt_tokens":120,"completion_tokens":80,"total_tokens":200}}`
)

// BenchmarkCall compares calls through the gateway with the same calls made
// directly. cpu-µs/op counts client, provider and gateway together: what the
// gateway costs is the difference of the two.
func BenchmarkCall(b *testing.B) {
	r := newRig(b)
	r.books.Limit(1 << 50)
	answer := []byte(benchAnswer)
	r.up.Always(func(w http.ResponseWriter, _ *gatewaytest.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
	run := func(name, url, model string, clients int) {
		b.Run(name, func(b *testing.B) {
			call(b, url+"/chat/completions", strings.Replace(benchRequest, "MODEL", model, 1), clients)
		})
	}
	run("direct/1", r.up.URL, "m", 1)
	run("gateway/1", r.url, "up/m", 1)
	run("direct/64", r.up.URL, "m", 64)
	run("gateway/64", r.url, "up/m", 64)
}

// BenchmarkStream passes streams of 100 frames; first-µs is the time to the
// first byte.
func BenchmarkStream(b *testing.B) {
	r := newRig(b)
	r.dir.AddProvider(gateway.Provider{Name: "any", BaseURL: r.up.URL})
	r.up.Always(gatewaytest.Words(strings.TrimSpace(strings.Repeat("word ", 98))))
	run := func(name, url, model string, clients int) {
		body := strings.Replace(benchRequest, `"model":"MODEL"`, `"model":"`+model+`","stream":true`, 1)
		b.Run(name, func(b *testing.B) { call(b, url+"/chat/completions", body, clients) })
	}
	run("direct/1", r.up.URL, "m", 1)
	run("gateway/1", r.url, "any/m", 1)
	run("direct/16", r.up.URL, "m", 16)
	run("gateway/16", r.url, "any/m", 16)
}

// BenchmarkFirstByte streams at the pace of a fast model, a frame every two
// milliseconds: first-µs is what users feel.
func BenchmarkFirstByte(b *testing.B) {
	r := newRig(b)
	r.dir.AddProvider(gateway.Provider{Name: "any", BaseURL: r.up.URL})
	words := gatewaytest.Words("a few words")
	r.up.Always(func(w http.ResponseWriter, r *gatewaytest.Request) { words(pacedWriter{w}, r) })
	body := strings.Replace(benchRequest, `"model":"MODEL"`, `"model":"any/m","stream":true`, 1)
	b.Run("direct", func(b *testing.B) { call(b, r.up.URL+"/chat/completions", body, 1) })
	b.Run("gateway", func(b *testing.B) { call(b, r.url+"/chat/completions", body, 1) })
}

type pacedWriter struct{ http.ResponseWriter }

func (w pacedWriter) Flush() {
	w.ResponseWriter.(http.Flusher).Flush()
	time.Sleep(2 * time.Millisecond)
}

// call makes b.N calls from a number of clients and reports CPU and latency.
func call(b *testing.B, url, body string, clients int) {
	transport := &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	one := func() (first time.Duration, err error) {
		start := time.Now()
		req, err := http.NewRequest("POST", url, strings.NewReader(body))
		if err != nil {
			return 0, err
		}
		req.Header.Set("Authorization", "Bearer key")
		resp, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		if _, err := io.ReadFull(resp.Body, make([]byte, 1)); err != nil {
			return 0, err
		}
		first = time.Since(start)
		_, err = io.Copy(io.Discard, resp.Body)
		return first, err
	}
	work := make(chan struct{})
	times, firsts := make([][]time.Duration, clients), make([][]time.Duration, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for range work {
				start := time.Now()
				first, err := one()
				if err != nil {
					b.Error(err)
				}
				firsts[i] = append(firsts[i], first)
				times[i] = append(times[i], time.Since(start))
			}
		})
	}
	before := cpu(b)
	for b.Loop() {
		work <- struct{}{}
	}
	close(work)
	wg.Wait()
	used := cpu(b) - before
	b.ReportMetric(float64(used.Microseconds())/float64(b.N), "cpu-µs/op")
	report := func(name string, times [][]time.Duration) {
		all := slices.Concat(times...)
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), name+"p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), name+"p99-µs")
	}
	report("", times)
	report("first-", firsts)
}

func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
