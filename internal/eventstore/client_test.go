package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"testing"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"github.com/google/uuid"
	"go.uber.org/goleak"
	"google.golang.org/grpc/status"

	"strata/internal/eventstore/eventstoretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// background is a context that ends with the test, or when it takes too long.
func background(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// connect makes an official client.
func connect(t testing.TB, url string) *esdb.Client {
	t.Helper()
	settings, err := esdb.ParseConnectionString(url)
	if err != nil {
		t.Fatal(err)
	}
	settings.Logger = esdb.NoopLogging()
	c, err := esdb.NewClient(settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func start(t testing.TB, options ...eventstoretest.Option) (*eventstoretest.Server, *esdb.Client) {
	t.Helper()
	s := eventstoretest.Start(t, options...)
	return s, connect(t, s.URL())
}

func event(typ string) esdb.EventData {
	return esdb.EventData{EventID: uuid.New(), EventType: typ, ContentType: esdb.ContentTypeJson, Data: []byte(`{"n":1}`)}
}

func events(typ string, n int) []esdb.EventData {
	out := make([]esdb.EventData, n)
	for i := range out {
		out[i] = event(typ)
		out[i].Data = fmt.Appendf(nil, `{"n":%d}`, i)
	}
	return out
}

func mustAppend(t testing.TB, c *esdb.Client, stream string, expected esdb.ExpectedRevision, list ...esdb.EventData) *esdb.WriteResult {
	t.Helper()
	r, err := c.AppendToStream(background(t), stream, esdb.AppendToStreamOptions{ExpectedRevision: expected}, list...)
	if err != nil {
		t.Fatalf("append to %s: %v", stream, err)
	}
	return r
}

// drain reads to the end.
func drain(r *esdb.ReadStream, err error) ([]*esdb.ResolvedEvent, error) {
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []*esdb.ResolvedEvent
	for {
		e, err := r.Recv()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
}

func readStream(t testing.TB, c *esdb.Client, stream string, o esdb.ReadStreamOptions) ([]*esdb.ResolvedEvent, error) {
	t.Helper()
	return drain(c.ReadStream(background(t), stream, o, math.MaxUint64))
}

func code(err error) esdb.ErrorCode {
	var e *esdb.Error
	if !errors.As(err, &e) {
		return -1
	}
	return e.Code()
}

func TestAppendAndRead(t *testing.T) {
	_, c := start(t)
	binary := esdb.EventData{EventID: uuid.New(), EventType: "bin", ContentType: esdb.ContentTypeBinary, Data: []byte("{\x01\x02"), Metadata: []byte("\x00\x01 any bytes")}
	json := esdb.EventData{EventID: uuid.New(), EventType: "json", ContentType: esdb.ContentTypeJson, Data: []byte(` {"a":1}`), Metadata: []byte(`{"workspace":"ws_1"}`)}
	bare := esdb.EventData{EventID: uuid.New(), EventType: "bare", ContentType: esdb.ContentTypeJson}
	want := []esdb.EventData{binary, json, bare}
	r := mustAppend(t, c, "orders-1", esdb.NoStream{}, want...)
	if r.NextExpectedVersion != 2 || r.CommitPosition == 0 {
		t.Errorf("answered %+v", r)
	}
	list, err := readStream(t, c, "orders-1", esdb.ReadStreamOptions{})
	if err != nil || len(list) != 3 {
		t.Fatalf("%d events, %v", len(list), err)
	}
	for i, e := range list {
		got, w := e.Event, want[i]
		if got.EventID != w.EventID || got.EventType != w.EventType || string(got.Data) != string(w.Data) ||
			string(got.UserMetadata) != string(w.Metadata) || got.EventNumber != uint64(i) || got.StreamID != "orders-1" ||
			time.Since(got.CreatedDate) > time.Minute {
			t.Errorf("event %d is %+v", i, got)
		}
	}
	if list[0].Event.ContentType != "application/octet-stream" || list[2].Event.ContentType != "application/json" {
		t.Errorf("content types %s, %s", list[0].Event.ContentType, list[2].Event.ContentType)
	}
	if _, err := readStream(t, c, "missing", esdb.ReadStreamOptions{}); code(err) != esdb.ErrorCodeResourceNotFound {
		t.Errorf("a missing stream: %v", err)
	}
}

func TestSubscribeToStream(t *testing.T) {
	_, c := start(t)
	mustAppend(t, c, "live-1", esdb.NoStream{}, events("before", 300)...)
	sub, err := c.SubscribeToStream(background(t), "live-1", esdb.SubscribeToStreamOptions{From: esdb.Revision(9)})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	next := uint64(10)
	for next < 300 {
		e := sub.Recv()
		if e.EventAppeared == nil || e.EventAppeared.Event.EventNumber != next {
			t.Fatalf("got %+v, want revision %d", e, next)
		}
		next++
	}
	if e := sub.Recv(); e.CaughtUp == nil {
		t.Fatalf("got %+v, want caught up", e)
	}
	mustAppend(t, c, "other-1", esdb.NoStream{}, event("other"))
	mustAppend(t, c, "live-1", esdb.Any{}, events("after", 2)...)
	for range 2 {
		e := sub.Recv()
		if e.EventAppeared == nil || e.EventAppeared.Event.EventNumber != next {
			t.Fatalf("got %+v, want revision %d", e, next)
		}
		next++
	}
}

func readOptions() esdb.ReadStreamOptions { return esdb.ReadStreamOptions{} }

func tombstoneOptions() esdb.TombstoneStreamOptions {
	return esdb.TombstoneStreamOptions{ExpectedRevision: esdb.Any{}}
}

// grpcCode names the status of an error.
func grpcCode(err error) string { return status.Code(err).String() }
