//go:build e2e

package crash

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

// check compares what the server has with what it acknowledged.
func (l *load) check(t *testing.T) {
	t.Helper()
	// A read that waits for the newest position sees everything before it.
	fresh := l.client.Create(t, "/v1/sessions", object{})
	newest := fresh.After()
	l.client.Delete(t, "/v1/sessions/"+fresh.Str("uid"))
	listed := map[string]map[string]string{}
	for _, path := range []string{"/api/v1/apps", "/api/v1/budgets"} {
		listed[path] = l.names(t, path, newest)
	}
	delete(listed["/api/v1/budgets"], "all")
	for _, w := range l.workers {
		l.checkSession(t, w, newest)
		l.checkChat(t, w, newest)
		l.checkApp(t, w, newest)
		for _, x := range w.acks {
			names := listed[x.path]
			switch {
			case names != nil:
				if names[x.key] != x.id {
					t.Errorf("%s %s was acknowledged as %s and is %q", x.path, x.key, x.id, names[x.key])
				}
				delete(names, x.key)
			case strings.HasPrefix(x.path, "/v1/memory/"):
				l.client.Do(t, http.StatusOK, "GET", x.path+"/"+x.id, nil, newest...).Want("content", x.key)
			}
		}
		l.checkMemories(t, w)
	}
	for path, names := range listed {
		for name, id := range names {
			t.Errorf("%s %s (%s) was never acknowledged, and every retry was", path, name, id)
		}
	}
}

// names are the ids of everything in a list by name; a name that comes twice is
// a fault.
func (l *load) names(t *testing.T, path string, newest []string) map[string]string {
	t.Helper()
	out := map[string]string{}
	cursor := ""
	for {
		a := l.client.Get(t, path+kit.Query("limit", "100", "sortBy", "createdAt", "sortOrder", "asc", "cursor", cursor), newest...)
		ids := a.Strings("data", "id")
		for i, name := range a.Strings("data", "name") {
			if out[name] != "" {
				t.Errorf("%s %s is there twice: %s and %s", path, name, out[name], ids[i])
			}
			out[name] = ids[i]
		}
		if !a.Bool("pagination.hasMore") {
			return out
		}
		cursor = a.Str("pagination.nextCursor")
	}
}

func (l *load) checkSession(t *testing.T, w *worker, newest []string) {
	t.Helper()
	want := map[string]string{} // content → id
	last := ""
	for _, x := range w.acks {
		if strings.HasSuffix(x.path, "/events") {
			want[x.key], last = x.id, x.key
		}
	}
	got, after := map[string]string{}, ""
	sequences := map[int64]bool{}
	for {
		a := l.client.Get(t, "/v1/sessions/"+w.session+"/events"+kit.Query("limit", "100", "after", after), newest...)
		for i, id := range a.Strings("data", "id") {
			name := a.Str(fmt.Sprintf("data.%d.content.name", i))
			if got[name] != "" {
				t.Errorf("%s: the event %s is there twice", w.session, name)
			}
			got[name], after = id, id
			sequences[a.Int(fmt.Sprintf("data.%d.sequence", i))] = true
		}
		if !a.Bool("has_more") {
			break
		}
	}
	for name, id := range want {
		if got[name] != id {
			t.Errorf("%s: the event %s was acknowledged as %s and is %q", w.session, name, id, got[name])
		}
	}
	if len(got) != len(want) || len(sequences) != len(got) || !sequences[int64(len(got))] && len(got) > 0 {
		t.Errorf("%s: %d events with %d sequence numbers, %d acknowledged", w.session, len(got), len(sequences), len(want))
	}
	s := l.client.Get(t, "/v1/sessions/"+w.session).Want("event_count", len(want))
	if last != "" && s.Str("state.last") == "" {
		t.Errorf("%s has no state: %s", w.session, s.Short())
	}
}

// checkMemories counts a worker's memories: none twice.
func (l *load) checkMemories(t *testing.T, w *worker) {
	t.Helper()
	want := 0
	for _, x := range w.acks {
		if strings.HasPrefix(x.path, "/v1/memory/") {
			want++
		}
	}
	got, after := 0, ""
	for {
		a := l.client.Post(t, "/v1/memory/internal/memories/list", object{"user_id": fmt.Sprint("user-", w.n), "limit": 100, "after": after})
		ids := a.Strings("data", "id")
		if got += len(ids); !a.Bool("has_more") {
			break
		}
		after = ids[len(ids)-1]
	}
	if got != want {
		t.Errorf("user-%d has %d memories, %d were acknowledged", w.n, got, want)
	}
}

// checkCalls compares the inference log with the calls that were made, and the
// ledger with the log.
func (l *load) checkCalls(t *testing.T) {
	t.Helper()
	if err := l.server.WaitClickHouse(time.Minute); err != nil {
		t.Fatal(err)
	}
	made := map[string]call{} // by correlation
	answered := 0
	for _, w := range l.workers {
		for _, c := range w.calls {
			made[c.correlation] = c
			if c.answered {
				answered++
			}
		}
	}
	var seen map[string]int
	var cost int64
	kit.Eventually(t, time.Minute, "the log has every answered call once, and the ledger equals it", func() error {
		seen, cost = l.readLog(t)
		missing := 0
		for name, c := range made {
			if c.answered && seen[name] == 0 {
				missing++
			}
		}
		if missing > 0 {
			return fmt.Errorf("%d of %d answered calls are not in the log", missing, answered)
		}
		ledger := l.client.Get(t, "/api/v1/budgets/"+l.budget)
		return kit.Differ("what the ledger has settled", ledger.Micro("data.spentUsd"), cost)
	})
	for name, n := range seen {
		if n > made[name].attempts {
			t.Errorf("the call %s is in the log %d times and was made at most %d times", name, n, made[name].attempts)
		}
	}
	sum := l.client.Get(t, "/v1/inference-logs/summary").Want("total_calls", len(seen))
	if total := l.client.Get(t, "/api/v1/analytics/costs").Micro("data.totalUsd"); total != cost {
		t.Errorf("the rollups say %d micro-dollars, the rows %d", total, cost)
	}
	t.Logf("%d calls made, %d answered, %s in the log, %d micro-dollars spent", len(made), answered, sum.Short(), cost)
}

// readLog counts the rows of the inference log by correlation id and adds up
// what they cost.
func (l *load) readLog(t *testing.T) (seen map[string]int, cost int64) {
	t.Helper()
	seen = map[string]int{}
	for page := 1; ; page++ {
		a := l.client.Get(t, "/v1/inference-logs"+kit.Query("page", strconv.Itoa(page), "page_size", "100"))
		for i, name := range a.Strings("data", "correlation_id") {
			seen[name]++
			cost += a.Micro(fmt.Sprintf("data.%d.cost_usd", i))
		}
		if !a.Bool("has_more") {
			return seen, cost
		}
	}
}
