package main

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

func TestParseBenchmarks(t *testing.T) {
	got := parseBenchmarks([]byte("goos: linux\nBenchmarkAppend/writers=16-2 \t 1000\t 12.5 ns/op\t 80000 events/s\t 1.5 p99-ms\nPASS\n"))
	if len(got) != 1 || got[0].name != "Append/writers=16" || got[0].values["events/s"] != 80000 || got[0].values["p99-ms"] != 1.5 {
		t.Errorf("got %+v", got)
	}
}

func TestReadAnswer(t *testing.T) {
	const wire = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" +
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n" +
		"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nbad"
	in := bufio.NewReader(strings.NewReader(wire))
	for range 2 {
		if _, err := readAnswer(in, 200); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readAnswer(in, 200); err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("a wrong status: %v", err)
	}
	if _, err := readAnswer(in, 200); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestTable(t *testing.T) {
	var tb table
	tb.goal("log", "appends", count(1234567), percent(1, 2), "1,000,000", true)
	var b strings.Builder
	if err := tb.markdown(&b); err != nil || !strings.Contains(b.String(), "| log | appends | 1,234,567 | 50 % | 1,000,000: met |") {
		t.Errorf("%v\n%s", err, &b)
	}
}
