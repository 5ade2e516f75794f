//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"strata/test/kit"
)

func TestEvents(t *testing.T) {
	c := onShared(t)
	app := c.Create(t, "/api/v1/apps", object{"name": "a", "type": "chat"})
	id := app.Str("data.id")
	c.Put(t, "/api/v1/apps/"+id, object{"status": "published"})
	s := c.Create(t, "/v1/sessions", object{})

	list := c.Get(t, "/api/v1/events", s.After()...)
	list.Want("data.0.type", "session.created.v1", "pagination.hasMore", false)
	for _, field := range []string{"id", "type", "source", "subject", "time"} {
		list.Str("data.0." + field)
	}
	list.Int("data.0.sequence")
	of := c.Get(t, "/api/v1/events"+kit.Query("subject", id, "sortOrder", "asc"))
	of.Want("data.0.type", "app.created.v1", "data.0.data.doc.name", "a", "data.1.type", "app.updated.v1")
	if n := len(of.List("data")); n != 2 {
		t.Errorf("%d events of the app: %s", n, of.Short())
	}
	c.Get(t, "/api/v1/events/"+of.Str("data.0.id")).Want("data.type", "app.created.v1", "data.subject", id)
	c.Do(t, http.StatusNotFound, "GET", "/api/v1/events/00000000-0000-7000-8000-000000000000", nil)
	c.Get(t, "/api/v1/events?type=session.created.v1").Want("data.0.type", "session.created.v1")
	if n := len(c.Get(t, "/api/v1/events?type=app.*").List("data")); n != 2 {
		t.Errorf("%d events of type app.*", n)
	}
	if n := len(c.Get(t, "/api/v1/events"+kit.Query("endDate", time.Now().Add(-time.Hour).UTC().Format(time.RFC3339))).List("data")); n != 0 {
		t.Errorf("%d events of an hour ago", n)
	}
	page := c.Get(t, "/api/v1/events?limit=2").Want("pagination.hasMore", true)
	c.Get(t, "/api/v1/events?limit=2&cursor="+page.Str("pagination.nextCursor")).Want("data.0.type", "app.created.v1")
	if types := c.Get(t, "/api/v1/events/types"); !slices.Contains(types.Strings("data.types", "type"), "app.created.v1") {
		t.Errorf("the types: %s", types.Short())
	}
}

func TestEventsOverSSE(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/api/v1/apps", object{"name": "before", "type": "chat"})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := c.OpenStream(ctx, "GET", "/api/v1/events/stream?types=app.*&after=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	next := func(s *kit.Stream) kit.Frame {
		t.Helper()
		for {
			f, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if f.ID != "" {
				return f
			}
		}
	}
	first := next(s)
	if first.JSON["data"].(object)["doc"].(object)["name"] != "before" {
		t.Errorf("first frame %s", first.Data)
	}
	c.Create(t, "/v1/sessions", object{}) // is filtered out
	c.Create(t, "/api/v1/apps", object{"name": "live", "type": "chat"})
	live := next(s)
	if live.JSON["data"].(object)["doc"].(object)["name"] != "live" {
		t.Errorf("second frame %s", live.Data)
	}
	s.Close()

	// Resumed with the id of the last event seen, nothing is missed or repeated.
	for i := range 5 {
		c.Create(t, "/api/v1/apps", object{"name": fmt.Sprint("missed ", i), "type": "chat"})
	}
	s, err = c.OpenStream(ctx, "GET", "/api/v1/events/stream?types=app.*", nil, "Last-Event-ID", live.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range 5 {
		if f := next(s); f.JSON["data"].(object)["doc"].(object)["name"] != fmt.Sprint("missed ", i) {
			t.Errorf("after resuming, event %d is %s", i, f.Data)
		}
	}
}

func TestEventsOverWebsocket(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/api/v1/apps", object{"name": "before", "type": "chat"})
	ws := c.Dial(t, "/api/v1/events/ws", "types", "app.*", "after", "0")
	event := func(ws *kit.Socket) object {
		t.Helper()
		frames := ws.Until("event")
		return frames[len(frames)-1]["event"].(object)
	}
	first := event(ws)
	if first["data"].(object)["doc"].(object)["name"] != "before" {
		t.Errorf("first event %v", first)
	}
	ws.Until("caught_up")
	ws.Send(object{"action": "ping"})
	ws.Until("pong")
	c.Create(t, "/v1/sessions", object{}) // is filtered out
	c.Create(t, "/api/v1/apps", object{"name": "live", "type": "chat"})
	live := event(ws)
	if live["data"].(object)["doc"].(object)["name"] != "live" || live["sequence"].(float64) <= first["sequence"].(float64) {
		t.Errorf("live event %v", live)
	}
	ws.Send(object{"action": "subscribe", "types": []string{"session.*"}})
	ws.Send(object{"action": "ping"})
	ws.Until("pong")
	c.Create(t, "/v1/sessions", object{"uid": "seen"})
	if e := event(ws); e["type"] != "session.created.v1" {
		t.Errorf("after subscribing, the event is %v", e)
	}
	ws.Close()

	for i := range 5 {
		c.Create(t, "/api/v1/apps", object{"name": fmt.Sprint("missed ", i), "type": "chat"})
	}
	again := c.Dial(t, "/api/v1/events/ws", "types", "app.*", "after", fmt.Sprintf("%.0f", live["sequence"]))
	for i := range 5 {
		if e := event(again); e["data"].(object)["doc"].(object)["name"] != fmt.Sprint("missed ", i) {
			t.Errorf("after resuming, event %d is %v", i, e)
		}
	}
	shared.ClientFor("").Do(t, http.StatusUnauthorized, "GET", "/api/v1/events/ws?access_token=nonsense", nil)
}
