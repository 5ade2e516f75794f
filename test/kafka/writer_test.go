//go:build e2e

package kafka_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"strata/domain/inference"
	"strata/internal/clickhouse"
	"strata/internal/clickhouse/clickhousetest"
	"strata/projections/analytics"
	"strata/projections/analytics/kafkafeed"
	"strata/streams"
	"strata/streams/kafka"
)

// writerCommand makes this test binary a writer: a process that copies the
// topic to the tables.
const writerCommand = "inferences-writer-for-tests"

const (
	inferences  = "inferences"
	writerGroup = "clickhouse"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == writerCommand {
		if err := writerMain(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	clickhousetest.Main(m, nil)
}

// order is what a writer is told.
type order struct {
	Name, Broker, ClickHouse string
}

// writerMain runs until it is killed, or the test is gone.
func writerMain(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer stop()
		_, _ = io.Copy(io.Discard, os.Stdin)
	}()
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	db, err := clickhouse.Open(ctx, clickhouse.Config{URL: "http://" + o.ClickHouse, Logger: logger})
	if err != nil {
		return err
	}
	codec, err := streams.NewCodec(inference.FactTypes(), nil, nil)
	if err != nil {
		return err
	}
	installation := func(context.Context) (string, error) { return "of tests", nil }
	consumer, err := kafka.NewConsumer(kafka.ConsumerConfig{
		SubscriberConfig: kafka.SubscriberConfig{Connection: kafka.Connection{Brokers: []string{o.Broker}, Logger: logger}, Group: writerGroup,
			Session: 6 * time.Second, Heartbeat: 500 * time.Millisecond, Drain: 3 * time.Second},
		BatchWait: 100 * time.Millisecond,
	}, kafkafeed.Sink{DB: db, Codec: codec, Owner: analytics.Owner{Installation: installation, Instance: o.Name}, Logger: logger})
	if err != nil {
		return err
	}
	_ = consumer.Run(ctx, inferences) // ends with the test
	return db.Stop(context.Background())
}

// writer is such a process.
type writer struct {
	order  order
	cmd    *exec.Cmd
	stdin  io.Closer
	exited chan struct{}
	log    string
}

func startWriter(t *testing.T, o order) *writer {
	t.Helper()
	w := &writer{order: o, log: t.TempDir() + "/" + o.Name + ".log"}
	w.start(t)
	t.Cleanup(func() {
		w.kill(t)
		if text, err := os.ReadFile(w.log); t.Failed() && err == nil {
			t.Logf("the end of the log of %s:\n%s", o.Name, text[max(0, len(text)-3000):])
		}
	})
	return w
}

func (w *writer) start(t *testing.T) {
	t.Helper()
	text, err := json.Marshal(w.order)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(w.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w.cmd = exec.Command(self, writerCommand, string(text))
	w.cmd.Stderr = out
	if w.stdin, err = w.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	w.exited = exited
	go func(cmd *exec.Cmd) {
		defer close(exited)
		_ = cmd.Wait() // killed
	}(w.cmd)
}

func (w *writer) kill(t *testing.T) {
	t.Helper()
	w.signal(t, syscall.SIGKILL)
	<-w.exited
}

func (w *writer) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := w.cmd.Process.Signal(s); err != nil {
		t.Error(err)
	}
}
