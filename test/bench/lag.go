package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"strata/test/kit"
)

// commandRate is the load under which the read models' lag is measured.
const commandRate = 1000

// benchLag measures how long after a write was acknowledged a read model shows
// it, while other clients write at a steady rate: a read that names the write's
// position is answered as soon as the model has reached it.
func benchLag(ctx context.Context, s settings, t *table) error {
	return s.withServer(func(server *kit.Server) error {
		busy := newRequest(address(server), http.MethodPost, "/v1/sessions", kit.AdminKey, newSession, 201)
		ctx, cancel := context.WithTimeout(ctx, s.duration)
		defer cancel()
		var wrote result
		var writing sync.WaitGroup
		var writeErr error
		writing.Go(func() { wrote, writeErr = steady(ctx, busy, commandRate, 32) })
		lags, err := probe(ctx, server)
		writing.Wait()
		if err = errors.Join(err, writeErr); err != nil {
			return err
		}
		p99 := quantile(lags, .99).Seconds() * 1e3
		t.goal("projections", fmt.Sprintf("lag of the sessions behind the log at %s commands/s", count(wrote.rate())),
			fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", quantile(lags, .5).Seconds()*1e3, p99),
			fmt.Sprintf("%s probes, the read itself included", count(float64(len(lags)))),
			fmt.Sprintf("p99 50 ms at %s commands/s", count(commandRate)), p99 < 50 && wrote.rate() > .95*commandRate)
		return nil
	})
}

// steady sends a request at a rate, spread over connections, until ctx ends.
func steady(ctx context.Context, r request, rate, connections int) (result, error) {
	began := time.Now()
	every := time.Second * time.Duration(connections) / time.Duration(rate)
	results, errs := make([]result, connections), make([]error, connections)
	var running sync.WaitGroup
	for i := range connections {
		running.Go(func() {
			offset := every * time.Duration(i) / time.Duration(connections)
			errs[i] = tick(ctx, r, began.Add(offset), every, &results[i])
		})
	}
	running.Wait()
	all := result{elapsed: time.Since(began)}
	for _, one := range results {
		all.requests += one.requests
	}
	return all, errors.Join(errs...)
}

// tick is one connection of a steady load. What the server was too slow for is
// sent later, so that the rate is kept.
func tick(ctx context.Context, r request, next time.Time, every time.Duration, out *result) error {
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16<<10)
	for ; ; next = next.Add(every) {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Until(next)):
		}
		if _, err := conn.Write(r.wire); err != nil {
			return err
		}
		if _, err := readAnswer(in, r.status); err != nil {
			return err
		}
		out.requests++
	}
}

// probe writes and reads, again and again, until ctx ends, and returns how long
// the reads took.
func probe(ctx context.Context, server *kit.Server) (lags []time.Duration, err error) {
	client := server.Client()
	for ctx.Err() == nil {
		wrote, err := client.Call(context.WithoutCancel(ctx), http.MethodPost, "/v1/sessions", kit.Raw(newSession))
		if err != nil {
			return nil, err
		}
		began := time.Now()
		uid, _ := wrote.Lookup("uid")
		read, err := client.Call(context.WithoutCancel(ctx), http.MethodGet, fmt.Sprintf("/v1/sessions/%s", uid), nil,
			"Strata-Min-Position", wrote.Header.Get("Strata-Position"))
		if err != nil {
			return nil, err
		}
		if read.Status != http.StatusOK || read.Header.Get("Strata-Lag") != "" {
			return nil, fmt.Errorf("%s: %d %s", read.Request, read.Status, read.Short())
		}
		lags = append(lags, time.Since(began))
		select { // the probes must not be a load of their own
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	slices.Sort(lags)
	return lags, nil
}
