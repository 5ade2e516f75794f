package main

import (
	"context"
	"fmt"
	"net/http"
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
	return withServer(func(server *kit.Server) error {
		uid, err := create(ctx, server, "/v1/sessions", map[string]any{"app_name": "helpdesk"}, "uid")
		if err != nil {
			return err
		}
		app, err := create(ctx, server, "/api/v1/apps", map[string]any{"name": "a", "type": "chat", "description": "about as long as it takes"}, "data.id")
		if err != nil {
			return err
		}
		const body = `{"app_name":"helpdesk","user_id":"user_bob","metadata":{"a":1}}`
		own := func(method, path, body string, status int) request {
			return newRequest(address(server), method, path, kit.AdminKey, body, status)
		}
		pairs := []struct {
			name         string
			bare, strata request
			goal         string
		}{
			{"create session (durable)", newRequest(bare, "POST", "/things", "x", body, 201), own("POST", "/v1/sessions", body, 201), "goal 60 %"},
			{"get app by id", newRequest(bare, "GET", "/things/x", "x", "", 200), own("GET", "/api/v1/apps/"+app, "", 200), "goal 70 %"},
			{"get session by id", newRequest(bare, "GET", "/things/x", "x", "", 200), own("GET", "/v1/sessions/"+uid, "", 200), "goal 70 %"},
		}
		for _, p := range pairs {
			for _, connections := range []int{64, 256} {
				echoed, err := load(ctx, p.bare, connections, s.duration)
				if err != nil {
					return fmt.Errorf("echo: %w", err)
				}
				// What the writes before have left to do is not the next measure's.
				if err := server.WaitSettled(time.Minute); err != nil {
					return err
				}
				got, err := load(ctx, p.strata, connections, s.duration)
				if err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				t.add("REST", fmt.Sprintf("%s, %d connections", p.name, connections), count(got.rate())+" /s",
					fmt.Sprintf("%s of the echo's %s /s (%s), p99 %.1f ms", percent(got.rate(), echoed.rate()), count(echoed.rate()), p.goal,
						quantile(got.latencies, .99).Seconds()*1e3))
			}
		}
		return memory(server, t, "after the load above")
	})
}

func memory(server *kit.Server, t *table, when string) error {
	mb, err := residentMB(server.PID())
	if err == nil {
		t.add("process", "memory without the ClickHouse child, "+when, fmt.Sprintf("%.0f MB", mb), "")
	}
	return err
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
	return withServer(func(server *kit.Server) error {
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
			before, err := cpuTime(server.PID())
			if err != nil {
				return err
			}
			got, err := load(ctx, through(chat), connections, s.duration)
			if err != nil {
				return err
			}
			after, err := cpuTime(server.PID())
			if err != nil {
				return err
			}
			t.add("gateway", fmt.Sprintf("calls, everything recorded, %d connections", connections), count(got.rate())+" /s",
				fmt.Sprintf("%.0f µs CPU per call (goal 250), p99 %.1f ms", float64((after-before).Microseconds())/float64(got.requests), quantile(got.latencies, .99).Seconds()*1e3))
		}
		got, err := load(ctx, through(chatStream), 512, s.duration)
		if err != nil {
			return err
		}
		t.add("gateway", "streams of 20 frames, 512 connections", count(got.rate())+" /s", fmt.Sprintf("all ended well; p99 %.0f ms", quantile(got.latencies, .99).Seconds()*1e3))
		return memory(server, t, "after the calls above")
	})
}

// added measures what the gateway adds to a call at one connection.
func added(ctx context.Context, s settings, t *table, direct, through func(string) request) error {
	for _, x := range []struct {
		name, body, goal string
		of               func(result) []time.Duration
	}{
		{"added to a call", chat, "goal p99 0.3 ms", func(r result) []time.Duration { return r.latencies }},
		{"added to the first byte of a stream", chatStream, "goal p99 0.25 ms", func(r result) []time.Duration { return r.first }},
	} {
		bare, err := load(ctx, direct(x.body), 1, s.duration)
		if err != nil {
			return fmt.Errorf("provider: %w", err)
		}
		got, err := load(ctx, through(x.body), 1, s.duration)
		if err != nil {
			return err
		}
		diff := func(q float64) float64 {
			return (quantile(x.of(got), q) - quantile(x.of(bare), q)).Seconds() * 1e3
		}
		t.add("gateway", x.name+", 1 connection", fmt.Sprintf("p50 %.2f ms, p99 %.2f ms", diff(.5), diff(.99)),
			fmt.Sprintf("%s; the provider alone: p50 %.2f ms, p99 %.2f ms", x.goal, quantile(x.of(bare), .5).Seconds()*1e3, quantile(x.of(bare), .99).Seconds()*1e3))
	}
	return nil
}
