//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"strata/test/kit"
)

// listener follows events over either protocol, leaves and comes back at random,
// and notes the sequences it got until an app is created.
type listener struct {
	overSSE bool
	types   []string
	random  *rand.Rand
	got     []int64
	after   int64
	ended   bool
}

func (l *listener) run(ctx context.Context, c *kit.Client) error {
	for !l.ended {
		if ctx.Err() != nil {
			return fmt.Errorf("got nothing after %d", l.after)
		}
		err := l.socket(ctx, c)
		if l.overSSE {
			err = l.stream(ctx, c)
		}
		if err != nil { // the server is down
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

func (l *listener) patience() int { return 1 + l.random.IntN(300) }

func (l *listener) query() string {
	return kit.Query("types", strings.Join(l.types, ","), "after", fmt.Sprint(l.after), "access_token", kit.AdminKey)
}

func (l *listener) note(e object) {
	sequence := int64(e["sequence"].(float64))
	l.got, l.after = append(l.got, sequence), sequence
	l.ended = e["type"] == "app.created.v1"
}

func (l *listener) socket(ctx context.Context, c *kit.Client) error {
	if l.overSSE {
		return nil
	}
	conn, _, err := websocket.DefaultDialer.DialContext(ctx, "ws"+strings.TrimPrefix(c.URL, "http")+"/api/v1/events/ws"+l.query(), nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for n := l.patience(); n > 0 && !l.ended; n-- {
		var f object
		if err := conn.ReadJSON(&f); err != nil {
			return err
		}
		switch f["type"] {
		case "event":
			l.note(f["event"].(object))
		case "caught_up":
			l.after = max(l.after, int64(f["sequence"].(float64)))
		case "closed":
			l.after = int64(f["resumeAfter"].(float64))
		}
	}
	return nil
}

func (l *listener) stream(ctx context.Context, c *kit.Client) error {
	s, err := c.OpenStream(ctx, "GET", "/api/v1/events/stream"+l.query(), nil)
	if err != nil {
		return err
	}
	defer s.Close()
	for n := l.patience(); n > 0 && !l.ended; n-- {
		f, err := s.Next()
		if err != nil {
			return err
		}
		if f.Event == "closed" {
			l.after = int64(f.JSON["resumeAfter"].(float64))
			continue
		}
		l.note(f.JSON)
	}
	return nil
}

// Clients that leave and come back, and a server that is stopped and killed under
// them: each gets every event it wants, as the log has them, once and in order.
func TestLiveEventsSurviveRestarts(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	c := s.Client()
	var listening, writing sync.WaitGroup
	var listeners []*listener
	errs := make([]error, 10)
	for i := range errs {
		types := [][]string{{"session.*", "app.*"}, {"session.created", "app.*"}, {"session.event_added.v1", "app.created"}}[i/2%3]
		l := &listener{overSSE: i%2 == 1, types: types, random: rand.New(rand.NewPCG(seed, uint64(i)))}
		listeners = append(listeners, l)
		listening.Go(func() { errs[i] = l.run(ctx, c) })
	}
	stop := make(chan struct{})
	for range 4 {
		writing.Go(func() { writeUntil(ctx, c, stop) })
	}
	random := rand.New(rand.NewPCG(seed, 99))
	for round := range 4 {
		select {
		case <-time.After(time.Duration(300+random.IntN(700)) * time.Millisecond):
		case <-ctx.Done():
			t.Fatal(ctx.Err())
		}
		end := s.Kill
		if round%2 == 1 {
			end = s.Stop
		}
		if err := errors.Join(end(), s.Start()); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	writing.Wait()
	last := c.Create(t, "/api/v1/apps", object{"name": "the last", "type": "chat"})
	listening.Wait()
	for i, l := range listeners {
		want := sequences(t, c, l.types, last.After())
		t.Logf("listener %d: %d events", i, len(l.got))
		if errs[i] != nil || !slices.Equal(l.got, want) {
			t.Errorf("listener %d (SSE %t) of %v got %d events, the log has %d: %v", i, l.overSSE, l.types, len(l.got), len(want), errs[i])
		}
	}
}

// writeUntil writes sessions with events. What fails while the server is down is
// not tried again: the log alone says what happened.
func writeUntil(ctx context.Context, c *kit.Client, stop <-chan struct{}) {
	uid := ""
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		path, body := "/v1/sessions", object{"app_name": "live"}
		if n%20 > 0 && uid != "" {
			path, body = path+"/"+uid+"/events", object{"author": "user", "content": object{"text": fmt.Sprint(n)}}
		}
		a, err := c.Call(ctx, http.MethodPost, path, body)
		if err != nil {
			continue
		}
		if made, ok := a.Lookup("uid"); ok && path == "/v1/sessions" {
			uid, _ = made.(string)
		}
	}
}

// sequences lists the events of some types in the order of the log.
func sequences(t *testing.T, c *kit.Client, types, after []string) (out []int64) {
	t.Helper()
	query := []string{"limit", "100", "sortOrder", "asc"}
	for _, typ := range types {
		query = append(query, "type", typ)
	}
	for cursor := ""; ; {
		page := c.Get(t, "/api/v1/events"+kit.Query(append(slices.Clip(query), "cursor", cursor)...), after...)
		for i := range page.List("data") {
			out = append(out, page.Int(fmt.Sprintf("data.%d.sequence", i)))
		}
		if !page.Bool("pagination.hasMore") {
			return out
		}
		cursor = page.Str("pagination.nextCursor")
	}
}
