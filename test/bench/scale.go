package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

const scaleCommand = "scale"

// scaling measures what must not grow with a log: how long it takes to open, its
// memory, the speed of reading all of it, the time to read one stream of it, and
// appends to streams that nothing remembers.
type scaling struct {
	log     *embedded.Log
	events  int
	streams int // generated ones
	out     io.Writer
	cpu     time.Duration // of the process when cost was asked last
}

func scale(ctx context.Context, args []string, out io.Writer) (err error) {
	fs := flag.NewFlagSet("bench "+scaleCommand, flag.ContinueOnError)
	dir := fs.String("dir", "", "directory of a log made by "+generateCommand)
	if err := fs.Parse(args); err != nil {
		return err
	}
	start := time.Now()
	l, err := embedded.Open(*dir, embedded.Options{})
	if err != nil {
		return err
	}
	opened := time.Since(start)
	head, err := l.Head(ctx)
	if err != nil {
		return err
	}
	groups, err := generated(ctx, l)
	if err != nil {
		return err
	}
	if groups == 0 {
		return fmt.Errorf("%s has no generated events", *dir)
	}
	s := scaling{log: l, events: int(head), streams: groups * openStreams, out: out}
	s.say("events", count(float64(s.events)))
	s.say("open", opened.Round(100*time.Microsecond).String()+", "+s.cost(1))
	s.memory("after opening")
	for _, step := range []func(context.Context) error{s.readAll, s.readStreams, s.appendOld, s.appendNew} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.memory("after all this")
	start = time.Now()
	if err := l.Close(); err != nil {
		return err
	}
	s.say("close", time.Since(start).Round(100*time.Microsecond).String())
	return nil
}

// cost says how much CPU each of n operations has taken since it was asked last.
// Unlike the clock it hardly depends on what else the machine does.
func (s *scaling) cost(n int) string {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return ""
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	each := (cpu - s.cpu) / time.Duration(n)
	s.cpu = cpu
	return fmt.Sprintf("CPU %s", each.Round(10*time.Nanosecond))
}

func (s *scaling) say(measure, value string) { fmt.Fprintf(s.out, "%-40s %s\n", measure, value) }

// memory says what the process holds by itself. Pages of index files, which the
// system lends as long as nobody else wants them, are counted apart.
func (s *scaling) memory(when string) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		status = nil // not a Linux: the heap is known everywhere
	}
	s.say("heap "+when, fmt.Sprintf("%d MB (resident %d MB, of mapped files %d MB)",
		m.HeapInuse>>20, kilobytes(status, "RssAnon")>>10, kilobytes(status, "RssFile")>>10))
}

// kilobytes reads a line of /proc/self/status.
func kilobytes(status []byte, name string) int {
	_, rest, _ := bytes.Cut(status, []byte(name+":"))
	line, _, _ := bytes.Cut(rest, []byte("kB"))
	n, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil {
		return 0
	}
	return n
}

func (s *scaling) readAll(ctx context.Context) error {
	s.cost(1)
	start, n := time.Now(), 0
	for _, err := range s.log.ReadAll(ctx, streams.ReadAll{}) {
		if err != nil {
			return err
		}
		n++
	}
	if n != s.events {
		return fmt.Errorf("read %d events of %d", n, s.events)
	}
	s.say("read the whole log", fmt.Sprintf("%s events/s, %s", count(float64(n)/time.Since(start).Seconds()), s.cost(n)))
	return nil
}

// samples is how many streams are read.
const samples = 20_000

func (s *scaling) readStreams(ctx context.Context) error {
	took := make([]time.Duration, 0, samples)
	s.cost(1)
	for range samples {
		stream := scaleStream(rand.IntN(s.streams))
		start, n := time.Now(), 0
		for _, err := range s.log.ReadStream(ctx, stream, streams.ReadStream{}) {
			if err != nil {
				return fmt.Errorf("read %s: %w", stream, err)
			}
			n++
		}
		if n < eventsPerStream {
			return fmt.Errorf("stream %s has %d events", stream, n)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	s.say("read one stream, any of all", fmt.Sprintf("p50 %d µs, p99 %d µs, %s",
		took[samples/2].Microseconds(), took[samples*99/100].Microseconds(), s.cost(samples)))
	return nil
}

func (s *scaling) appendOld(ctx context.Context) error {
	return s.appends(ctx, "appends to any stream, 256 writers", func(int64) domain.StreamID { return scaleStream(rand.IntN(s.streams)) })
}

func (s *scaling) appendNew(ctx context.Context) error {
	run := time.Now().UnixNano()
	return s.appends(ctx, "appends to new streams, 256 writers", func(n int64) domain.StreamID {
		return domain.Stream("new", fmt.Sprintf("n%d_%d", run, n))
	})
}

// appends appends durably, one event at a time, for a while.
func (s *scaling) appends(ctx context.Context, measure string, stream func(n int64) domain.StreamID) error {
	const writers, total = 256, 200_000
	var wg sync.WaitGroup
	var n atomic.Int64
	var fault atomic.Pointer[error]
	s.cost(1)
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for fault.Load() == nil {
				i := n.Add(1)
				if i > total {
					return
				}
				if _, err := s.log.Append(ctx, stream(i), streams.Any, scaleEvent(int(i))); err != nil {
					fault.Store(&err)
				}
			}
		})
	}
	wg.Wait()
	if err := fault.Load(); err != nil {
		return *err
	}
	s.say(measure, fmt.Sprintf("%s /s, %s", count(total/time.Since(start).Seconds()), s.cost(total)))
	return nil
}
