package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"strata/test/kit"
)

// followers are how many websockets the fan-out is measured with. Fewer are
// opened when the system does not allow a process as many files.
const followers = 10_000

// benchSockets opens websockets that all follow the same workspace and measures
// how long after it happened each of them has an event. Server and clients are
// processes of their own and share the machine.
func benchSockets(ctx context.Context, s settings, t *table) error {
	return s.withServer(func(server *kit.Server) error {
		before, err := residentMB(server.PID())
		if err != nil {
			return err
		}
		n := min(followers, openFiles()-500)
		c := &crowd{address: address(server)}
		defer c.close()
		if err := c.open(ctx, n); err != nil {
			return err
		}
		after, err := residentMB(server.PID())
		if err != nil {
			return err
		}
		t.add("live", fmt.Sprintf("memory of a websocket, %s open", count(float64(n))), fmt.Sprintf("%.1f KB", (after.all-before.all)*1e3/float64(n)), "")
		for _, every := range []time.Duration{time.Second, 200 * time.Millisecond} {
			idle, err := cpuTime(server.PID())
			if err != nil {
				return err
			}
			got, err := c.measure(ctx, server, every, max(s.duration, 10*every))
			if err != nil {
				return err
			}
			busy, err := cpuTime(server.PID())
			if err != nil {
				return err
			}
			p99 := quantile(got.latencies, .99).Seconds() * 1e3
			t.goal("live", fmt.Sprintf("an event to %s websockets, %.0f events/s", count(float64(n)), 1/every.Seconds()),
				fmt.Sprintf("p50 %.0f ms, p99 %.0f ms", quantile(got.latencies, .5).Seconds()*1e3, p99),
				fmt.Sprintf("%s delivered, none missing, %.1f µs CPU of the server each",
					count(float64(len(got.latencies))), float64((busy-idle).Microseconds())/float64(len(got.latencies))),
				"p99 100 ms", p99 < 100)
		}
		return nil
	})
}

// crowd is many clients that do nothing but read.
type crowd struct {
	address string
	mu      sync.Mutex
	conns   []net.Conn
	waiting sync.WaitGroup
	closed  atomic.Bool
	seen    []time.Duration // how long an event took, each time a client had one; guarded by mu
	err     atomic.Pointer[error]
}

// open connects and waits until each client has caught up.
func (c *crowd) open(ctx context.Context, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for range n {
		group.Go(func() error { return c.join(ctx) })
	}
	return group.Wait()
}

func (c *crowd) join(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.conns = append(c.conns, conn)
	c.mu.Unlock()
	if _, err := fmt.Fprintf(conn, "GET /api/v1/events/ws?types=session.* HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", kit.AdminKey); err != nil {
		return err
	}
	in := bufio.NewReaderSize(conn, 1<<10)
	for line := "-"; line != "\r\n"; {
		if line, err = in.ReadString('\n'); err != nil {
			return fmt.Errorf("open a websocket: %w", err)
		}
		if strings.HasPrefix(line, "HTTP/1.1 ") && !strings.HasPrefix(line, "HTTP/1.1 101") {
			return fmt.Errorf("open a websocket: %s", line)
		}
	}
	text, err := nextText(in)
	for text == nil && err == nil { // a ping may come first
		text, err = nextText(in)
	}
	if err != nil || !bytes.Contains(text, []byte(`"caught_up"`)) {
		return fmt.Errorf("a websocket begins with %s, %w", text, err)
	}
	c.waiting.Go(func() { c.listen(conn, in) })
	return nil
}

// listen notes how old each event is when it comes.
func (c *crowd) listen(conn net.Conn, in *bufio.Reader) {
	for {
		text, err := nextText(in)
		if err == nil && text == nil { // a ping
			_, err = conn.Write([]byte{0x8a, 0x80, 0, 0, 0, 0})
		} else if err == nil {
			var took time.Duration
			if took, err = age(text); err == nil {
				c.mu.Lock()
				c.seen = append(c.seen, took)
				c.mu.Unlock()
			}
		}
		if err != nil {
			if !c.closed.Load() {
				c.err.CompareAndSwap(nil, &err)
			}
			return
		}
	}
}

// age is how long ago the event of a frame happened, by the server's clock,
// which is ours.
func age(text []byte) (time.Duration, error) {
	_, rest, found := bytes.Cut(text, []byte(`"time":"`))
	at, _, _ := bytes.Cut(rest, []byte(`"`))
	if !found {
		return 0, fmt.Errorf("not an event: %s", text)
	}
	happened, err := time.Parse(time.RFC3339Nano, string(at))
	return time.Since(happened), err
}

// nextText reads a websocket message of a server; nil for a ping.
func nextText(in *bufio.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return nil, err
	}
	n := int(head[1])
	switch {
	case n == 126:
		if _, err := io.ReadFull(in, head[2:4]); err != nil {
			return nil, err
		}
		n = int(head[2])<<8 | int(head[3])
	case n > 126:
		return nil, errors.New("a message of 64 KB or more")
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(in, payload)
	switch head[0] & 0xf {
	case 1:
		return payload, err
	case 9:
		return nil, err
	}
	return nil, fmt.Errorf("frame %x %q, %w", head[0], payload, err)
}

// measure makes an event at a time and waits until everybody has all of them.
func (c *crowd) measure(ctx context.Context, server *kit.Server, every, duration time.Duration) (result, error) {
	var out result
	clock := time.NewTicker(every)
	defer clock.Stop()
	events := int(duration / every)
	for range events {
		select {
		case <-clock.C:
		case <-ctx.Done():
			return out, ctx.Err()
		}
		if _, err := create(ctx, server, "/v1/sessions", map[string]any{"app_name": "helpdesk"}, "uid"); err != nil {
			return out, err
		}
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		c.mu.Lock()
		have := len(c.seen)
		if have == events*len(c.conns) {
			out.latencies, c.seen = c.seen, nil
		}
		c.mu.Unlock()
		switch err := c.err.Load(); {
		case out.latencies != nil:
			slices.Sort(out.latencies)
			return out, nil
		case err != nil:
			return out, *err
		case time.Now().After(deadline):
			return out, fmt.Errorf("%d events of %d came", have, events*len(c.conns))
		}
		<-clock.C
	}
}

func (c *crowd) close() {
	c.closed.Store(true)
	for _, conn := range c.conns {
		_ = conn.Close() // its end does not matter
	}
	c.waiting.Wait()
}

// openFiles is how many files a process may have open: Go raises that to what
// the system allows.
func openFiles() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1000
	}
	return int(min(limit.Cur, 1<<20))
}
