package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// request is what a connection sends again and again, ready on the wire.
type request struct {
	address string
	wire    []byte
	status  int // expected
}

// newRequest writes a request once. A net/http client would cost more than the
// server that is measured.
func newRequest(address, method, path, key, body string, status int) request {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n", method, path, address, key)
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return request{address, b.Bytes(), status}
}

// result is what a load measured.
type result struct {
	requests  int
	elapsed   time.Duration
	latencies []time.Duration // of whole answers, sorted
	first     []time.Duration // to the first byte of the body, sorted
}

func (r result) rate() float64 { return float64(r.requests) / r.elapsed.Seconds() }

func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// load sends a request over a number of connections, one at a time on each, for
// as long as told.
func load(ctx context.Context, r request, connections int, duration time.Duration) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, duration)
	defer cancel()
	results := make([]result, connections)
	errs := make([]error, connections)
	var running sync.WaitGroup
	began := time.Now()
	for i := range connections {
		running.Go(func() { errs[i] = drive(ctx, r, &results[i]) })
	}
	running.Wait()
	all := result{elapsed: time.Since(began)}
	for i, one := range results {
		if errs[i] != nil {
			return all, errs[i]
		}
		all.requests += one.requests
		all.latencies = append(all.latencies, one.latencies...)
		all.first = append(all.first, one.first...)
	}
	slices.Sort(all.latencies)
	slices.Sort(all.first)
	return all, nil
}

// drive is the work of one connection.
func drive(ctx context.Context, r request, out *result) error {
	conn, err := net.Dial("tcp", r.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 16<<10)
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := conn.Write(r.wire); err != nil {
			return err
		}
		first, err := readAnswer(in, r.status)
		if err != nil {
			return err
		}
		out.requests++
		out.latencies = append(out.latencies, time.Since(began))
		out.first = append(out.first, first.Sub(began))
	}
	return nil
}

// readAnswer reads one answer and tells when its body began.
func readAnswer(in *bufio.Reader, want int) (first time.Time, err error) {
	head := textproto.NewReader(in)
	line, err := head.ReadLine()
	if err != nil {
		return first, err
	}
	length, chunked := 0, false
	for {
		h, err := head.ReadLineBytes()
		if err != nil {
			return first, err
		}
		if len(h) == 0 {
			break
		}
		name, value, _ := strings.Cut(string(h), ": ")
		switch {
		case strings.EqualFold(name, "Content-Length"):
			length, err = strconv.Atoi(value)
		case strings.EqualFold(name, "Transfer-Encoding"):
			chunked = value == "chunked"
		}
		if err != nil {
			return first, err
		}
	}
	if _, err := in.Peek(1); err != nil {
		return first, err
	}
	first = time.Now()
	var body io.Reader = io.LimitReader(in, int64(length))
	if chunked {
		body = &chunks{in: head}
	}
	if !strings.HasPrefix(line, "HTTP/1.1 "+strconv.Itoa(want)) {
		text, err := io.ReadAll(io.LimitReader(body, 500))
		return first, fmt.Errorf("answered %s, want %d: %s (%w)", line, want, text, err)
	}
	_, err = io.Copy(io.Discard, body)
	return first, err
}

// chunks reads a body in chunked encoding to its end.
type chunks struct {
	in   *textproto.Reader
	left int
	done bool
}

// Read implements io.Reader.
func (c *chunks) Read(p []byte) (int, error) {
	for c.left == 0 {
		if c.done {
			return 0, io.EOF
		}
		line, err := c.in.ReadLine()
		if err != nil {
			return 0, err
		}
		if line == "" {
			continue // ends the chunk before
		}
		size, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return 0, fmt.Errorf("chunk size %q: %w", line, err)
		}
		c.left = int(size)
		if c.left == 0 {
			c.done = true
			if _, err := c.in.ReadLine(); err != nil { // the blank line after the last chunk
				return 0, err
			}
		}
	}
	n, err := c.in.R.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}
