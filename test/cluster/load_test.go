//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strata/test/kit"
)

type object = map[string]any

const chatPath = "/openai/v1/chat/completions"

// author adds events to a session of its own, one after another: each under an
// idempotency key, again and again until it is acknowledged.
type author struct {
	client *kit.Client
	uid    string
	acked  atomic.Int64 // events 1 to acked are acknowledged
}

// write goes on until stop is closed, or ctx ends.
func (a *author) write(ctx context.Context, stop <-chan struct{}) {
	for n := a.acked.Load() + 1; ; {
		select {
		case <-stop:
			return
		default:
		}
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		res, err := a.client.Call(try, http.MethodPost, "/v1/sessions/"+a.uid+"/events",
			object{"author": "user", "content": object{"text": strconv.FormatInt(n, 10)}}, "Idempotency-Key", fmt.Sprintf("%s-%d", a.uid, n))
		cancel()
		if err == nil && res.Status == http.StatusCreated {
			a.acked.Store(n)
			n++
			continue
		}
		select { // not to spin while nobody is there
		case <-time.After(20 * time.Millisecond):
		case <-stop:
			return
		case <-ctx.Done():
			return
		}
	}
}

// read returns the numbers that a node shows of the session, in its order.
func (a *author) read(ctx context.Context, node *kit.Client) (numbers []int64, err error) {
	for after := ""; ; {
		res, err := node.Call(ctx, http.MethodGet, "/v1/sessions/"+a.uid+"/events"+kit.Query("limit", "100", "after", after), nil)
		if err != nil {
			return nil, err
		}
		data, _ := res.Lookup("data")
		items, ok := data.([]any)
		if res.Status != http.StatusOK || !ok {
			return nil, fmt.Errorf("%s: %d %s", res.Request, res.Status, res.Short())
		}
		for i := range items {
			text, _ := res.Lookup(fmt.Sprintf("data.%d.content.text", i))
			n, err := strconv.ParseInt(fmt.Sprint(text), 10, 64)
			if err != nil {
				return nil, err
			}
			numbers = append(numbers, n)
			id, _ := res.Lookup(fmt.Sprintf("data.%d.id", i))
			after = fmt.Sprint(id)
		}
		if more, _ := res.Lookup("has_more"); more != true || len(items) == 0 {
			return numbers, nil
		}
	}
}

// whole tells whether a node shows every acknowledged event once, in order. One
// more may be there: the last, whose answer nobody has heard.
func (a *author) whole(ctx context.Context, node *kit.Client) error {
	numbers, err := a.read(ctx, node)
	if err != nil {
		return err
	}
	for i, n := range numbers {
		if n != int64(i+1) {
			return fmt.Errorf("session %s: event %d is number %d", a.uid, i+1, n)
		}
	}
	if acked := a.acked.Load(); int64(len(numbers)) < acked || int64(len(numbers)) > acked+1 {
		return fmt.Errorf("session %s has %d events, %d were acknowledged", a.uid, len(numbers), acked)
	}
	return nil
}

// spender calls a model until its budget refuses, and goes on trying.
func spend(ctx context.Context, c *kit.Client, stop <-chan struct{}, answered, refused *atomic.Int64) {
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		res, err := c.Call(try, http.MethodPost, chatPath, object{"model": "p/m", "max_tokens": 8, "messages": []object{{"role": "user", "content": "hello"}}})
		cancel()
		if err == nil && res.Status == http.StatusOK {
			answered.Add(1)
		}
		if err == nil && res.Status == http.StatusTooManyRequests {
			refused.Add(1)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-stop:
			return
		}
	}
}

// load is everything that runs while the cluster is troubled.
type load struct {
	authors           []*author
	answered, refused atomic.Int64
	caller            caller
	stop              chan struct{}
	running           sync.WaitGroup
}

func startLoad(t *testing.T, edge *kit.Server, spenders *kit.Client) *load {
	l := &load{stop: make(chan struct{})}
	for range 6 {
		c := edge.Client()
		var uid string
		kit.Eventually(t, time.Minute, "a session is made", func() error {
			res, err := c.Call(t.Context(), http.MethodPost, "/v1/sessions", object{"app_name": "cluster"})
			if err != nil || res.Status != http.StatusCreated {
				return fmt.Errorf("%v %v", res, err)
			}
			v, _ := res.Lookup("uid")
			uid = fmt.Sprint(v)
			return nil
		})
		a := &author{client: c, uid: uid}
		l.authors = append(l.authors, a)
		l.running.Go(func() { a.write(t.Context(), l.stop) })
	}
	for range 4 {
		l.running.Go(func() { spend(t.Context(), spenders, l.stop, &l.answered, &l.refused) })
	}
	l.running.Go(func() { l.caller.call(t.Context(), spenders, l.stop) })
	return l
}

// progress waits until every author has had more events acknowledged.
func (l *load) progress(t *testing.T) {
	t.Helper()
	for _, a := range l.authors {
		before := a.acked.Load()
		kit.Eventually(t, time.Minute, "writes go on", func() error {
			if a.acked.Load() < before+3 {
				return fmt.Errorf("session %s had %d acknowledged, has %d", a.uid, before, a.acked.Load())
			}
			return nil
		})
	}
}

// end stops the load when what was begun is answered.
func (l *load) end() {
	close(l.stop)
	l.running.Wait()
}
