//go:build e2e

package crash

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// failpoints builds the program with points at which it can be made to end.
func failpoints(t *testing.T) string {
	t.Helper()
	root, err := kit.Root()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "bin", "strata-failpoints")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags", "failpoint", "-o", path, "./cmd/strata")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// scene is one server that is ended at one point after the other.
type scene struct {
	*testing.T
	server *kit.Server
	c      *kit.Client
	point  string
	tries  int
	body   object   // of the request that reached the point
	key    []string // header of its idempotency key
}

// within is how long things take at most that take no time.
const within = 20 * time.Second

// reach sends a request to a server that ends on the way, at the scene's point,
// and starts the server again, with the clock ahead where a test wants that.
func (s *scene) reach(method, path string, body object, env ...string) {
	s.Helper()
	s.restart("STRATA_FAILPOINT=" + s.point)
	s.tries++
	s.body, s.key = body, []string{"Idempotency-Key", fmt.Sprint("at ", s.point, s.tries)}
	if a, err := s.c.Call(s.Context(), method, path, body, s.key...); err == nil {
		s.Fatalf("%s %s was answered with %d %s", method, path, a.Status, a.Short())
	}
	s.ended()
	s.start(env...)
}

func (s *scene) ended() {
	s.Helper()
	if code, err := s.server.WaitExit(within); err != nil || code != 137 {
		s.Fatalf("the server ended with %d at %s (%v)", code, s.point, err)
	}
}

func (s *scene) restart(env ...string) {
	s.Helper()
	if err := s.server.Kill(); err != nil {
		s.Fatal(err)
	}
	s.start(env...)
}

func (s *scene) start(env ...string) {
	s.Helper()
	s.c.HTTP.CloseIdleConnections()
	s.server.SetEnv(env...)
	if err := s.server.Start(); err != nil {
		s.Fatal(err)
	}
}

// again sends the request twice more: both times it is answered as the first
// one would have been.
func (s *scene) again(status int, method, path, id string) *kit.Answer {
	s.Helper()
	first := s.c.Do(s, status, method, path, s.body, s.key...)
	if second := s.c.Do(s, status, method, path, s.body, s.key...); second.Str(id) != first.Str(id) {
		s.Errorf("a retry is answered with %s, one after it with %s", first.Short(), second.Short())
	}
	return first
}

// ledger waits until a budget has settled and released everything.
func (s *scene) ledger(id string, spent int64) {
	s.Helper()
	kit.Eventually(s, within, "the ledger is right", func() error {
		a := s.c.Get(s, "/api/v1/budgets/"+id)
		if err := kit.Differ("reserved", a.Micro("data.reservedUsd"), int64(0)); err != nil {
			return err
		}
		return kit.Differ("spent", a.Micro("data.spentUsd"), spent)
	})
}

// app makes an app and returns its path.
func (s *scene) app(name string) string {
	s.Helper()
	a := s.c.Create(s, "/api/v1/apps", object{"name": name, "type": "chat"})
	s.c.Get(s, "/api/v1/apps/"+a.Str("data.id"), a.After()...)
	return "/api/v1/apps/" + a.Str("data.id")
}

// The server is ended at every point between two appends that belong together,
// started again, and asked: whatever was begun is either whole or not there,
// and retries are answered as the first try.
func TestKilledAtEveryPoint(t *testing.T) {
	server := kit.Start(t, kit.Options{Binary: failpoints(t)})
	c := server.Client()
	up := gatewaytest.NewUpstream(t).URL
	c.Create(t, "/api/v1/providers", object{"name": "p", "type": "openai_compatible", "baseUrl": up, "models": []string{"m"},
		"config": object{"prices": object{"m": object{"input": 1, "output": 10, "max_output_tokens": 100}}}})
	for _, p := range []struct {
		point string
		run   func(s *scene)
	}{
		{"create.claimed", createClaimed}, {"rename.claimed", renameClaimed}, {"rename.renamed", renameRenamed},
		{"delete.deleted", deleteDeleted}, {"session.durable", appendDurable},
		{"reserve.held", reserved}, {"call.reserved", reserved}, {"call.answered", reserved},
		{"call.recorded", recorded}, {"reserve.ended", recorded}, {"call.settled", recorded},
		{"turn.asked", turn}, {"turn.answered", turn},
		{"timer.due", timerDue}, {"timer.fired", timerDue}, {"budget.period_over", timerDue},
		{"budget.sweep_due", sweepDue}, {"budget.swept", sweepDue},
	} {
		if !t.Run(p.point, func(t *testing.T) { p.run(&scene{T: t, server: server, c: c, point: p.point}) }) {
			return // the server may be anywhere
		}
	}
}

// A name was claimed, what was to bear it not created.
func createClaimed(s *scene) {
	s.reach("POST", "/api/v1/apps", object{"name": "claimed", "type": "chat"})
	made := s.again(http.StatusCreated, "POST", "/api/v1/apps", "data.id")
	s.c.Do(s, http.StatusConflict, "POST", "/api/v1/apps", object{"name": "claimed", "type": "chat"})
	s.c.Get(s, "/api/v1/apps/"+made.Str("data.id"), made.After()...).Want("data.name", "claimed")
	// And when nobody tries again, the name is free after a while.
	s.reach("POST", "/api/v1/apps", object{"name": "orphan", "type": "chat"}, "STRATA_CLOCK_AHEAD=2m")
	s.c.Create(s, "/api/v1/apps", object{"name": "orphan", "type": "chat"})
}

// The new name was claimed, the rename not done.
func renameClaimed(s *scene) {
	path := s.app("before")
	s.reach("PUT", path, object{"name": "after"})
	s.c.Get(s, path).Want("data.name", "before")
	s.again(http.StatusOK, "PUT", path, "data.id").Want("data.name", "after")
	s.c.Create(s, "/api/v1/apps", object{"name": "before", "type": "chat"})
	s.c.Do(s, http.StatusConflict, "POST", "/api/v1/apps", object{"name": "after", "type": "chat"})
}

// The rename was done, the old name not given back.
func renameRenamed(s *scene) {
	path := s.app("old name")
	s.reach("PUT", path, object{"name": "new name"}, "STRATA_CLOCK_AHEAD=4m")
	s.again(http.StatusOK, "PUT", path, "data.id").Want("data.name", "new name")
	s.c.Do(s, http.StatusConflict, "POST", "/api/v1/apps", object{"name": "new name", "type": "chat"})
	s.c.Create(s, "/api/v1/apps", object{"name": "old name", "type": "chat"})
}

// The resource was deleted, its name not given back.
func deleteDeleted(s *scene) {
	path := s.app("short-lived")
	s.reach("DELETE", path, nil, "STRATA_CLOCK_AHEAD=6m")
	s.again(http.StatusOK, "DELETE", path, "data.id")
	s.c.Create(s, "/api/v1/apps", object{"name": "short-lived", "type": "chat"})
}

// An event was written, the answer not sent.
func appendDurable(s *scene) {
	uid := s.c.Create(s, "/v1/sessions", object{}).Str("uid")
	path := "/v1/sessions/" + uid + "/events"
	s.reach("POST", path, object{"author": "user", "content": object{"text": "hello"}})
	added := s.again(http.StatusCreated, "POST", path, "id").Want("sequence", 1)
	s.c.Get(s, "/v1/sessions/"+uid, added.After()...).Want("event_count", 1)
}

// budgets makes two that every call spends from, and takes them away again.
func (s *scene) budgets() (ids []string, remove func()) {
	s.Helper()
	for _, scope := range []string{"workspace", "organization"} {
		b := s.c.Create(s, "/api/v1/budgets", object{"name": scope, "scopeType": scope, "limitUsd": 1, "period": "total"})
		ids = append(ids, b.Str("data.id"))
	}
	return ids, func() {
		for _, id := range ids {
			s.c.Delete(s, "/api/v1/budgets/"+id)
		}
	}
}

var hello = object{"model": "p/m", "messages": []object{{"role": "user", "content": "hello"}}, "max_tokens": 20}

const chatPath = "/openai/v1/chat/completions"

// Money was reserved for a call that is not on record: it is given back, and
// the next call can be made.
func reserved(s *scene) {
	ids, remove := s.budgets()
	defer remove()
	s.reach("POST", chatPath, hello)
	for _, id := range ids {
		s.ledger(id, 0)
	}
	s.c.Post(s, chatPath, hello)
	for _, id := range ids {
		s.ledger(id, callCost)
	}
}

// The call is on record: it is paid for, once, from every budget.
func recorded(s *scene) {
	ids, remove := s.budgets()
	defer remove()
	s.reach("POST", chatPath, hello)
	for _, id := range ids {
		s.ledger(id, callCost)
	}
	s.restart()
	for _, id := range ids {
		s.ledger(id, callCost)
	}
}

// A turn was begun and not ended: it fails on record, retries say so, and the
// conversation goes on.
func turn(s *scene) {
	const path = "/api/v1/chat/completions"
	app := s.c.Create(s, "/api/v1/apps", object{"name": "app " + s.point, "type": "chat", "status": "published", "config": object{"model": "p/m"}})
	s.c.Get(s, "/api/v1/apps/"+app.Str("data.id"), app.After()...)
	chat := s.c.Post(s, path, object{"appId": app.Str("data.id"), "message": "hello"}).Str("data.chatId")
	s.reach("POST", path, object{"appId": app.Str("data.id"), "message": "and now?", "chatId": chat})
	kit.Eventually(s, within, "the turn is closed", func() error {
		a, err := s.c.Call(s.Context(), "POST", path, s.body, s.key...)
		if err != nil {
			return err
		}
		if a.Status != http.StatusConflict {
			return fmt.Errorf("status %d", a.Status)
		}
		if text := a.Short(); !strings.Contains(text, "failed") {
			return fmt.Errorf("it says %s", text)
		}
		return nil
	})
	s.c.Post(s, path, object{"appId": app.Str("data.id"), "message": "once more", "chatId": chat}).Want("data.chatId", chat)
}

// count waits until the log has so many events of a type about something.
func (s *scene) count(typ, subject string, want int) {
	s.Helper()
	kit.Eventually(s, within, fmt.Sprint(want, " ", typ), func() error {
		return kit.Differ("events", s.logged(typ, subject), want)
	})
}

// logged counts in the log itself, as a live socket shows it from its
// beginning: the list of events leaves out the machine's own, such as timers.
func (s *scene) logged(typ, subject string) (n int) {
	s.Helper()
	socket := s.c.Dial(s, "/api/v1/events/ws", "types", typ, "after", "0")
	defer socket.Close()
	for _, m := range socket.Until("caught_up") {
		if e, ok := m["event"].(object); ok && e["subject"] == subject {
			n++
		}
	}
	return n
}

// A day ends while nothing runs, and the process that is to notice it dies.
func timerDue(s *scene) {
	id := s.c.Create(s, "/api/v1/budgets", object{"name": "daily", "scopeType": "agent", "scopeId": s.point, "limitUsd": 1, "period": "daily"}).Str("data.id")
	timer := "budget-period." + id
	s.count("timer.scheduled.v1", timer, 1)
	s.late(48 * time.Hour)
	s.count("timer.fired.v1", timer, 1)
	s.count("budget.period_rolled.v1", id, 1)
	s.count("timer.scheduled.v1", timer, 2)
	s.restart("STRATA_CLOCK_AHEAD=48h")
	s.c.Delete(s, "/api/v1/budgets/"+id) // its timer is cancelled after all that came before it
	s.count("timer.cancelled.v1", timer, 1)
	s.count("timer.fired.v1", timer, 1)
	s.count("budget.period_rolled.v1", id, 1)
	s.restart()
}

// A reservation expires while the process that is to release it dies.
func sweepDue(s *scene) {
	id := s.c.Create(s, "/api/v1/budgets", object{"name": "all", "scopeType": "workspace", "limitUsd": 1, "period": "total"}).Str("data.id")
	timer := "budget-sweep." + id
	s.c.Post(s, chatPath, hello)
	s.count("timer.scheduled.v1", timer, 1)
	s.late(time.Hour)
	s.count("timer.fired.v1", timer, 1)
	s.ledger(id, callCost)
	s.c.Post(s, chatPath, hello)
	s.count("timer.scheduled.v1", timer, 2) // the next reservation is waited for again
	s.ledger(id, 2*callCost)
	s.c.Delete(s, "/api/v1/budgets/"+id)
	s.restart()
}

// late starts the server later, to end at the scene's point, and once more.
func (s *scene) late(by time.Duration) {
	s.Helper()
	if err := s.server.Kill(); err != nil {
		s.Fatal(err)
	}
	s.c.HTTP.CloseIdleConnections()
	ahead := "STRATA_CLOCK_AHEAD=" + by.String()
	s.server.SetEnv(ahead, "STRATA_FAILPOINT="+s.point)
	_ = s.server.Start() // whether it was ready before it ended does not matter
	s.ended()
	s.start(ahead)
}

var shownKey = regexp.MustCompile(`Admin API key \(shown only now\): (\S+)`)

// The process dies between showing the first key and making it: the next start
// shows another, and the one that was shown last works.
func TestFirstKeyIsNeverLost(t *testing.T) {
	const none = "STRATA_ADMIN_KEY="
	server, err := kit.New(kit.Options{DataDir: t.TempDir(), Binary: failpoints(t), Env: []string{none, "STRATA_FAILPOINT=bootstrap.shown"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = server.Start() // it ends before it is ready
	if code, err := server.WaitExit(within); err != nil || code != 137 {
		t.Fatalf("the server ended with %d (%v)", code, err)
	}
	server.SetEnv(none)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	shown := shownKey.FindAllStringSubmatch(server.Log(), -1)
	if len(shown) != 2 {
		t.Fatalf("%d keys were shown:\n%s", len(shown), server.Log())
	}
	for i, want := range []int{http.StatusUnauthorized, http.StatusOK} {
		a, err := server.ClientFor(shown[i][1]).Call(context.Background(), "GET", "/api/v1/auth/whoami", nil)
		if err != nil || a.Status != want {
			t.Errorf("key %d: %v, %v", i+1, a, err)
		}
	}
}
