package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"strata/test/kit"
)

// benchREST compares a durable command and a query by id with a bare echo.
func benchREST(ctx context.Context, s settings, t *table) error {
	bare, stop, err := startEcho()
	if err != nil {
		return err
	}
	defer stop()
	return s.withServer(func(server *kit.Server) error {
		uid, err := create(ctx, server, "/v1/sessions", map[string]any{"app_name": "helpdesk"}, "uid")
		if err != nil {
			return err
		}
		app, err := create(ctx, server, "/api/v1/apps", map[string]any{"name": "a", "type": "chat", "description": "about as long as it takes"}, "data.id")
		if err != nil {
			return err
		}
		own := func(method, path, body string, status int) request {
			return newRequest(address(server), method, path, kit.AdminKey, body, status)
		}
		for _, p := range []pair{
			{"create session (durable)", newRequest(bare, "POST", "/things", "x", newSession, 201), own("POST", "/v1/sessions", newSession, 201), .6},
			{"get app by id", newRequest(bare, "GET", "/things/x", "x", "", 200), own("GET", "/api/v1/apps/"+app, "", 200), .7},
			{"get session by id", newRequest(bare, "GET", "/things/x", "x", "", 200), own("GET", "/v1/sessions/"+uid, "", 200), .7},
		} {
			if !strings.Contains(p.name, s.match) {
				continue
			}
			for _, connections := range []int{64, 256} {
				if err := p.measure(ctx, s, t, server, connections); err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
			}
		}
		return memory(server, t, "after the load above", 0)
	})
}

const newSession = `{"app_name":"helpdesk","user_id":"user_bob","metadata":{"a":1}}`

// pair is the same request to the bare server and to Strata.
type pair struct {
	name         string
	bare, strata request
	goal         float64 // of the bare server's requests per second
}

func (p pair) measure(ctx context.Context, s settings, t *table, server *kit.Server, connections int) error {
	echoed, err := load(ctx, p.bare, connections, s.duration)
	if err != nil {
		return fmt.Errorf("echo: %w", err)
	}
	// What the writes before have left to do is not the next measure's.
	if err := server.WaitSettled(time.Minute); err != nil {
		return err
	}
	measure := fmt.Sprintf("%s, %d connections", p.name, connections)
	before, err := cpuTime(server.PID())
	if err != nil {
		return err
	}
	got, err := s.profiled(measure, func() (result, error) { return load(ctx, p.strata, connections, s.duration) })
	if err != nil {
		return err
	}
	// The read models' part of the work is counted, also what of it comes later.
	if err := server.WaitSettled(time.Minute); err != nil {
		return err
	}
	after, err := cpuTime(server.PID())
	if err != nil {
		return err
	}
	ratio := got.rate() / echoed.rate()
	t.goal("REST", measure, count(got.rate())+" /s",
		fmt.Sprintf("%s of the echo's %s /s; p99 %.1f ms, %.0f µs CPU each", percent(got.rate(), echoed.rate()), count(echoed.rate()),
			quantile(got.latencies, .99).Seconds()*1e3, float64((after-before).Microseconds())/float64(got.requests)),
		percent(p.goal, 1)+" of the echo", ratio >= p.goal)
	return nil
}

// memory adds a row of what the server holds; most is the goal in MB, 0 for none.
func memory(server *kit.Server, t *table, when string, most float64) error {
	r, err := residentMB(server.PID())
	if err != nil {
		return err
	}
	measure, value := "memory without the ClickHouse child, "+when, fmt.Sprintf("%.0f MB", r.all)
	beside := fmt.Sprintf("of it %.0f MB pages of files", r.files)
	if most == 0 {
		t.add("process", measure, value, beside)
	} else {
		t.goal("process", measure, value, beside, fmt.Sprintf("%.0f MB", most), r.all <= most)
	}
	return nil
}

const chat = `{"model":"p/m","messages":[{"role":"user","content":"Say hello to everybody who reads this."}],"max_tokens":50}`

const chatStream = `{"model":"p/m","stream":true,"messages":[{"role":"user","content":"Say hello to everybody who reads this."}],"max_tokens":50}`

// benchGateway compares calls through the gateway, everything recorded, with
// calls to the provider itself.
func benchGateway(ctx context.Context, s settings, t *table) error {
	upstream, stop, err := startUpstream()
	if err != nil {
		return err
	}
	defer stop()
	return s.withServer(func(server *kit.Server) error {
		if _, err := create(ctx, server, "/api/v1/providers", map[string]any{
			"name": "p", "type": "openai_compatible", "baseUrl": "http://" + upstream + "/v1", "models": []string{"m"},
			"config": map[string]any{"prices": map[string]any{"m": map[string]any{"input": 1, "output": 10}}},
		}, "data.id"); err != nil {
			return err
		}
		if err := server.WaitClickHouse(time.Minute); err != nil {
			return err
		}
		const path = "/chat/completions"
		direct := func(body string) request { return newRequest(upstream, http.MethodPost, "/v1"+path, "x", body, 200) }
		through := func(body string) request {
			return newRequest(address(server), http.MethodPost, "/openai/v1"+path, kit.AdminKey, body, 200)
		}
		if _, err := load(ctx, through(chat), 4, time.Second); err != nil { // warm
			return err
		}
		if err := added(ctx, s, t, direct, through); err != nil {
			return err
		}
		for _, connections := range []int{16, 256} {
			if err := calls(ctx, s, t, server, through(chat), connections); err != nil {
				return err
			}
		}
		got, err := load(ctx, through(chatStream), 512, s.duration)
		if err != nil {
			return err
		}
		t.add("gateway", "streams of 20 frames, 512 connections", count(got.rate())+" /s", fmt.Sprintf("all ended well; p99 %.0f ms", quantile(got.latencies, .99).Seconds()*1e3))
		if err := memory(server, t, "after the calls above", 80); err != nil {
			return err
		}
		if err := pause(ctx, restAfter); err != nil {
			return err
		}
		return memory(server, t, "some seconds later", 80)
	})
}

// restAfter is enough for a server to notice that its work is over and to give
// memory back.
const restAfter = 15 * time.Second

func pause(ctx context.Context, length time.Duration) error {
	select {
	case <-time.After(length):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// calls measures what a call costs in processor time, over many connections.
func calls(ctx context.Context, s settings, t *table, server *kit.Server, r request, connections int) error {
	measure := fmt.Sprintf("calls, everything recorded, %d connections", connections)
	before, err := cpuTime(server.PID())
	if err != nil {
		return err
	}
	got, err := s.profiled(measure, func() (result, error) { return load(ctx, r, connections, s.duration) })
	if err != nil {
		return err
	}
	after, err := cpuTime(server.PID())
	if err != nil {
		return err
	}
	each := float64((after - before).Microseconds()) / float64(got.requests)
	t.goal("gateway", measure, fmt.Sprintf("%.0f µs CPU per call", each),
		fmt.Sprintf("%s /s, p99 %.1f ms", count(got.rate()), quantile(got.latencies, .99).Seconds()*1e3), "250 µs", each <= 250)
	return nil
}

// added measures what the gateway adds to a call at one connection.
func added(ctx context.Context, s settings, t *table, direct, through func(string) request) error {
	for _, x := range []struct {
		name, body string
		goal       float64 // ms at p99
		of         func(result) []time.Duration
	}{
		{"added to a call", chat, 0.3, func(r result) []time.Duration { return r.latencies }},
		{"added to the first byte of a stream", chatStream, 0.25, func(r result) []time.Duration { return r.first }},
	} {
		bare, err := load(ctx, direct(x.body), 1, s.duration)
		if err != nil {
			return fmt.Errorf("provider: %w", err)
		}
		measure := x.name + ", 1 connection"
		got, err := s.profiled(measure, func() (result, error) { return load(ctx, through(x.body), 1, s.duration) })
		if err != nil {
			return err
		}
		// A call is recorded before its last byte: a sync is in what is added to
		// it. Its tail, at that moment, is the least that can be hoped for.
		disk, err := syncLoop(ctx, time.Second)
		if err != nil {
			return err
		}
		diff := func(q float64) float64 {
			return (quantile(x.of(got), q) - quantile(x.of(bare), q)).Seconds() * 1e3
		}
		t.goal("gateway", measure, fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms", diff(.5), diff(.99), diff(.999)),
			fmt.Sprintf("the provider alone: p50 %.2f ms, p99 %.2f ms; a bare sync: p50 %.2f ms, p99 %.2f ms",
				quantile(x.of(bare), .5).Seconds()*1e3, quantile(x.of(bare), .99).Seconds()*1e3,
				quantile(disk.latencies, .5).Seconds()*1e3, quantile(disk.latencies, .99).Seconds()*1e3),
			fmt.Sprintf("p99 %.2f ms", x.goal), diff(.99) <= x.goal)
	}
	return nil
}
