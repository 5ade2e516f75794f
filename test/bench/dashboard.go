package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"strata/test/kit"
)

// dashboardGoal is what 95 of 100 requests of a kind are to take at most.
const dashboardGoal = 300 * time.Millisecond

// kinds are the requests a console makes, one for every filter there is.
func kinds(sample sampleCall) [][2]string {
	const logs, reports = "/v1/inference-logs", "/api/v1/analytics/"
	filtered := func(name, value string) string { return logs + "?" + url.Values{name: {value}}.Encode() }
	halfway := url.QueryEscape(time.Now().UTC().AddDate(0, 0, -15).Format(time.RFC3339))
	return [][2]string{
		{"logs", logs},
		{"logs, page 50", logs + "?page=50"},
		{"logs, page 1000 of 100", logs + "?page=1000&page_size=100"},
		{"logs until 15 days ago", logs + "?end_date=" + halfway},
		{"logs from 15 days ago, page 50", logs + "?page=50&start_date=" + halfway},
		{"logs of a busy user", filtered("user", "user_0")},
		{"logs of a busy user, page 50", filtered("user", "user_0") + "&page=50"},
		{"logs of a rare user", filtered("user", "user_19990")},
		{"logs of a user that is not there", filtered("user", "nobody")},
		{"logs of a model", filtered("model", sample.Model)},
		{"logs of a model that is not there", filtered("model", "none/none")},
		{"logs with errors, page 50", filtered("status", "error") + "&page=50"},
		{"logs of embeddings", filtered("type", "embedding")},
		{"logs with a tag", filtered("tag", "team-3")},
		{"logs with a tag that is not there", filtered("tag", "none")},
		{"logs of a correlation", filtered("correlation_id", sample.Correlation)},
		{"logs of a session", filtered("session", sample.Session)},
		{"logs of an app", filtered("app_id", "app_11")},
		{"logs of an app, errors of a model", filtered("app_id", "app_3") + "&status=error&model=" + url.QueryEscape(sample.Model)},
		{"one log", logs + "/" + sample.ID},
		{"summary", logs + "/summary"},
		{"summary of a user", logs + "/summary?user=user_7"},
		{"usage", reports + "usage"},
		{"usage by user", reports + "usage?groupBy=user"},
		{"usage of an app", reports + "usage?appId=app_1"},
		{"usage of a model by day", reports + "usage?groupBy=day&model=" + url.QueryEscape(sample.Model)},
		{"performance", reports + "performance"},
		{"performance of an app", reports + "performance?appId=app_1"},
		{"performance by the hour", reports + "performance?interval=hour"},
		{"costs", reports + "costs"},
		{"costs by agent", reports + "costs?groupBy=agent"},
		{"costs of an app", reports + "costs?appId=app_1"},
	}
}

// sampleCall is a generated call from the middle of the range.
type sampleCall struct {
	ID          string `json:"id"`
	Model       string `json:"model"`
	Session     string `json:"session_id"`
	Correlation string `json:"correlation_id"`
}

func findSample(ctx context.Context, server *kit.Server) (s sampleCall, err error) {
	end := url.QueryEscape(time.Now().UTC().AddDate(0, 0, -12).Format(time.RFC3339))
	response, err := server.Client().Send(ctx, http.MethodGet, "/v1/inference-logs?page_size=1&end_date="+end, nil)
	if err != nil {
		return s, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return s, err
	}
	var body struct {
		Data []sampleCall `json:"data"`
	}
	if err := json.Unmarshal(text, &body); err != nil || len(body.Data) != 1 {
		return s, fmt.Errorf("a call of the past: %d %s (%w)", response.StatusCode, text, err)
	}
	return body.Data[0], nil
}

// measureInferences asks for every kind in turn while calls arrive at a rate.
func measureInferences(ctx context.Context, server *kit.Server, upstream string, rate, requests int, out io.Writer) error {
	if err := server.WaitClickHouse(time.Minute); err != nil {
		return err
	}
	name := fmt.Sprintf("p%d", time.Now().UnixNano())
	if _, err := create(ctx, server, "/api/v1/providers", map[string]any{
		"name": name, "type": "openai_compatible", "baseUrl": "http://" + upstream + "/v1", "models": []string{"m"},
	}, "data.id"); err != nil {
		return err
	}
	sample, err := findSample(ctx, server)
	if err != nil {
		return err
	}
	stopCalls := startCalls(ctx, server, name, rate)
	began := time.Now()
	latencies := map[string][]time.Duration{}
	list := kinds(sample)
	for range requests {
		for _, kind := range list {
			took, err := timed(ctx, server, kind[1])
			if err != nil {
				return fmt.Errorf("%s: %w", kind[0], err)
			}
			latencies[kind[0]] = append(latencies[kind[0]], took)
		}
	}
	n, err := stopCalls()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s calls/s arrived meanwhile\n", count(float64(n)/time.Since(began).Seconds())); err != nil {
		return err
	}
	return printKinds(out, list, latencies)
}

func printKinds(out io.Writer, list [][2]string, latencies map[string][]time.Duration) error {
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "ms\tp50\tp95\tp99\tgoal p95 300\t")
	for _, kind := range list {
		all := latencies[kind[0]]
		slices.Sort(all)
		verdict := "met"
		if quantile(all, .95) > dashboardGoal {
			verdict = "not met"
		}
		ms := func(q float64) string { return fmt.Sprintf("%.0f", quantile(all, q).Seconds()*1e3) }
		fmt.Fprintln(tw, strings.Join([]string{kind[0], ms(.5), ms(.95), ms(.99), verdict, ""}, "\t"))
	}
	return tw.Flush()
}

// timed sends a GET and reads the whole answer, which must be good.
func timed(ctx context.Context, server *kit.Server, path string) (time.Duration, error) {
	began := time.Now()
	response, err := server.Client().Send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %d: %s", response.StatusCode, text)
	}
	return time.Since(began), err
}

// arrivals are the connections over which calls arrive: enough that a slow one
// does not lower the rate.
const arrivals = 32

// startCalls makes calls through the gateway at a rate until it is told to
// stop; stop answers how many there were.
func startCalls(ctx context.Context, server *kit.Server, provider string, rate int) (stop func() (int, error)) {
	ctx, cancel := context.WithCancel(ctx)
	body := strings.Replace(chat, `"p/m"`, `"`+provider+`/m"`, 1)
	r := newRequest(address(server), http.MethodPost, "/openai/v1/chat/completions", kit.AdminKey, body, http.StatusOK)
	var sent atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, arrivals)
	if rate > 0 {
		pace := arrivals * time.Second / time.Duration(rate)
		for i := range arrivals {
			wg.Go(func() { errs[i] = r.paced(ctx, pace, &sent) })
		}
	}
	return func() (int, error) {
		cancel()
		wg.Wait()
		return int(sent.Load()), errors.Join(errs...)
	}
}

// paced sends the request over one connection at even intervals.
func (r request) paced(ctx context.Context, pace time.Duration, sent *atomic.Int64) error {
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16<<10)
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		if _, err := conn.Write(r.wire); err != nil {
			return err
		}
		if _, err := readAnswer(in, r.status); err != nil {
			return err
		}
		sent.Add(1)
	}
}
