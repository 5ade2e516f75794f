//go:build e2e

package crash

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

type object = map[string]any

// limit of the budget that all calls spend from, in micro-dollars: never
// reached, so that calls go on. What a call costs is fixed.
const (
	limit    = 900_000_000
	callCost = 10 + 10*2 // tokens in at 1, tokens out at 10
)

// write is a command sent with an idempotency key. It is known to have
// happened once it was answered, and is sent again until it was.
type write struct {
	method, path, key string
	body              object
	id                string  // what the answer named
	call              string  // correlation id, when it calls a model
	of                *person // whose data it is, if anybody's
}

// call is a model call; it cannot be sent again, except by repeating a chat
// message.
type call struct {
	correlation string
	answered    bool // to the last byte
	attempts    int  // how often it may have happened
}

// worker sends one write or call after the other.
type worker struct {
	n       int
	session string
	sent    int // number of the last thing sent

	app      string        // of its own, renewed again and again
	reached  atomic.Uint64 // position of the last acknowledged write
	acks     []write
	pending  []write
	calls    []call
	chatting chatting
	people   []*person // some of whom are erased
}

// load is all workers and what they share.
type load struct {
	server  *kit.Server
	client  *kit.Client
	budget  string
	workers []*worker
	backups *backups
}

func newLoad(t *testing.T, server *kit.Server) *load {
	t.Helper()
	l := &load{server: server, client: server.Client(), backups: &backups{dir: t.TempDir()}}
	l.client.HTTP.Timeout = 15 * time.Second
	l.client.Create(t, "/api/v1/providers", object{
		"name": "p", "type": "openai_compatible", "baseUrl": gatewaytest.NewUpstream(t).URL, "models": []string{"m"},
		"config": object{"prices": object{"m": object{"input": 1, "output": 10, "max_output_tokens": 100}}},
	})
	l.budget = l.client.Create(t, "/api/v1/budgets", object{
		"name": "all", "scopeType": "workspace", "limitUsd": float64(limit) / 1e6, "period": "total",
	}).Str("data.id")
	for n := range 16 {
		w := &worker{n: n, session: fmt.Sprint("session-", n)}
		w.acks = append(w.acks, write{method: "POST", path: "/v1/sessions", id: w.session})
		l.client.Create(t, "/v1/sessions", object{"uid": w.session})
		w.app = l.client.Create(t, "/api/v1/apps", object{"name": fmt.Sprint("app-", n), "type": "chat", "config": object{"model": "p/m"}}).Str("data.id")
		w.acks = append(w.acks, write{method: "POST", path: "/api/v1/apps", key: fmt.Sprint("app-", n), id: w.app})
		l.workers = append(l.workers, w)
	}
	return l
}

// runUntilKilled lets all workers work and kills the server after a while.
func (l *load) runUntilKilled(t *testing.T, life time.Duration, random *rand.Rand) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var working sync.WaitGroup
	for _, w := range l.workers {
		w.chatting.begin()
		working.Go(func() { w.work(ctx, l.client) })
	}
	name := models[random.IntN(len(models))]
	working.Go(func() { l.rebuild(ctx, name) })
	limit := toolTime
	if random.IntN(2) == 0 {
		limit = time.Duration(random.IntN(400)) * time.Millisecond
	}
	working.Go(func() { l.backups.run(l, limit) })
	<-time.After(life)
	if err := l.server.Kill(); err != nil {
		t.Fatal(err)
	}
	cancel()
	working.Wait()
	l.client.HTTP.CloseIdleConnections()
}

// rebuild folds a read model again beside the living one; whether it comes to
// an end is left to chance.
func (l *load) rebuild(ctx context.Context, name string) {
	_, _ = l.client.Call(ctx, "POST", "/api/v1/admin/projections/"+name+"/rebuild", object{}) // the server may be gone first
}

// work goes on until the server is gone.
func (w *worker) work(ctx context.Context, c *kit.Client) {
	for ctx.Err() == nil {
		w.sent++
		name := fmt.Sprintf("w%d-%d", w.n, w.sent)
		var err error
		switch w.sent % 10 {
		case 0:
			err = w.write(ctx, c, write{method: "POST", path: "/api/v1/apps", key: name, body: object{"name": name, "type": "chat"}})
		case 1:
			err = w.write(ctx, c, write{method: "POST", path: "/v1/memory/internal/memories", key: name, body: object{"content": name, "user_id": fmt.Sprint("user-", w.n)}})
		case 2:
			err = w.write(ctx, c, write{method: "POST", path: "/api/v1/budgets", key: name,
				body: object{"name": name, "scopeType": "agent", "scopeId": name, "limitUsd": 1, "period": "daily"}})
		case 3, 4:
			err = w.write(ctx, c, write{method: "POST", path: "/v1/sessions/" + w.session + "/events", key: name,
				body: object{"author": "user", "content": object{"name": name}, "state_delta": object{"last": name}}})
		case 5:
			err = w.write(ctx, c, write{method: "PUT", path: "/api/v1/apps/" + w.app, key: name, body: object{"description": name}})
		case 6:
			err = w.chat(ctx, c, name)
		case 7:
			err = w.live(ctx, c, name)
		default:
			err = w.call(ctx, c, name, w.sent%2 == 0)
		}
		if err != nil {
			return // the server is gone
		}
	}
}

// write sends a command and keeps what became of it. An error means that
// nobody knows.
func (w *worker) write(ctx context.Context, c *kit.Client, x write) error {
	var headers []string
	if x.call != "" {
		headers = []string{"X-Correlation-Id", x.call}
		w.calls[w.called(x.call)].attempts++
	}
	a, err := c.Call(ctx, x.method, x.path, x.body, append(headers, "Idempotency-Key", x.key)...)
	if err == nil && a.Status == http.StatusServiceUnavailable {
		err = fmt.Errorf("%s: %s", a.Request, a.Short()) // it is going down
	}
	if err != nil {
		w.pending = append(w.pending, x)
		return err
	}
	switch {
	case x.call != "" && a.Status == http.StatusConflict: // it was asked, and never answered: that is on record
		return nil
	case a.Status != http.StatusCreated && a.Status != http.StatusOK && a.Status != http.StatusAccepted:
		return fmt.Errorf("%s: %d %s", a.Request, a.Status, a.Short())
	case x.call != "":
		w.calls[w.called(x.call)].answered = true
	}
	for _, path := range []string{"id", "data.id", "data.chatId"} {
		if id, ok := a.Lookup(path); ok {
			x.id, _ = id.(string)
		}
	}
	if n, err := strconv.ParseUint(a.Header.Get("Strata-Position"), 10, 64); err == nil {
		w.reached.Store(max(n, w.reached.Load()))
	}
	if x.of != nil {
		x.of.acks = append(x.of.acks, x)
	} else {
		w.acks = append(w.acks, x)
	}
	return nil
}

// called finds what is known of a call, which may be the first of it.
func (w *worker) called(correlation string) int {
	for i := len(w.calls) - 1; i >= 0; i-- {
		if w.calls[i].correlation == correlation {
			return i
		}
	}
	w.calls = append(w.calls, call{correlation: correlation})
	return len(w.calls) - 1
}

func (w *worker) call(ctx context.Context, c *kit.Client, name string, stream bool) error {
	body := object{"model": "p/m", "messages": []object{{"role": "user", "content": name}}, "max_tokens": 20, "stream": stream}
	w.calls = append(w.calls, call{correlation: name, attempts: 1})
	res, err := c.Send(ctx, "POST", "/openai/v1/chat/completions", body, "X-Correlation-Id", name)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %d %s", name, res.StatusCode, text)
	}
	// Answered is what ends well: a whole answer, or a stream with its end mark.
	w.calls[len(w.calls)-1].answered = !stream || strings.HasSuffix(strings.TrimSpace(string(text)), "data: [DONE]")
	return nil
}

// retryPending sends again what was not answered, and something that was.
func (l *load) retryPending(t *testing.T) {
	t.Helper()
	for _, w := range l.workers {
		w.repeatChat(t, l.client)
		again := w.pending
		w.pending = nil
		for _, x := range again {
			if err := w.write(t.Context(), l.client, x); err != nil {
				t.Errorf("retry of %s: %v", x.key, err)
			}
		}
		if last := w.acks[len(w.acks)-1]; last.body != nil {
			a, err := l.client.Call(t.Context(), last.method, last.path, last.body, "Idempotency-Key", last.key)
			if err != nil {
				t.Fatal(err)
			}
			if a.Status != http.StatusCreated && a.Status != http.StatusOK || !strings.Contains(a.Short(), last.id) {
				t.Errorf("%s was answered with %s; repeated, it answers %d %s", last.key, last.id, a.Status, a.Short())
			}
		}
	}
}

func (l *load) summary() string {
	writes, calls, answered, people, erased := 0, 0, 0, 0, 0
	for _, w := range l.workers {
		people += len(w.people)
		for _, p := range w.people {
			if writes += len(p.acks); p.ack(erasures) != nil {
				erased++
			}
		}
		writes += len(w.acks)
		calls += len(w.calls)
		for _, c := range w.calls {
			if c.answered {
				answered++
			}
		}
	}
	return fmt.Sprintf("%d writes, %d of %d calls answered, %d of %d people erased so far, all accounted for", writes, answered, calls, erased, people)
}
