//go:build e2e

package crash

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"strata/test/kit"
)

// Where a person's data is written.
const (
	sessions = "/v1/sessions"
	memories = "/v1/memory/internal/memories"
	chats    = "/api/v1/chat/completions"
	erasures = "/api/v1/privacy/erasures"
)

// person has data of its own; every second one is erased.
type person struct {
	id    string
	erase bool
	steps int // taken, answered or not
	acks  []write
}

// secret is in everything a person says, and in nothing else.
func (p *person) secret() string { return "secret of " + p.id + "." }

// session is the uid of the person's session.
func (p *person) session() string { return "session-of-" + p.id }

// ack is what was acknowledged of a path; nil when nothing was.
func (p *person) ack(path string) *write {
	for i := range p.acks {
		if p.acks[i].path == path {
			return &p.acks[i]
		}
	}
	return nil
}

// live takes the next step of the worker's newest person. Only some workers have
// people: an erasure is answered when it is complete, or after seconds.
func (w *worker) live(ctx context.Context, c *kit.Client, name string) error {
	if w.n%5 != 0 {
		return nil
	}
	var p *person
	if n := len(w.people); n > 0 {
		p = w.people[n-1]
	}
	if p == nil || p.steps == 4 && !p.erase || p.steps == 5 {
		n := len(w.people)
		p = &person{id: fmt.Sprintf("person-%d-%d", w.n, n), erase: n%2 == 0}
		w.people = append(w.people, p)
	}
	x := write{method: http.MethodPost, key: name, of: p}
	switch p.steps {
	case 0:
		x.path, x.body = sessions, object{"uid": p.session(), "user_id": p.id, "state": object{"note": p.secret()}}
	case 1:
		x.path, x.body = sessions+"/"+p.session()+"/events", object{"author": "user", "content": object{"text": p.secret()}}
	case 2:
		x.path, x.body = memories, object{"content": p.secret(), "user_id": p.id}
	case 3:
		x.path, x.body, x.call = chats, object{"appId": w.app, "message": p.secret(), "userId": p.id}, name
	case 4:
		x.path, x.body = erasures, object{"subject": p.id}
	}
	p.steps++
	return w.write(ctx, c, x)
}

// erasedWithin is how long an erasure may take after a start, the analytics
// engine's included.
const erasedWithin = 3 * time.Minute

// checkPeople wants the data of those who were not erased to be there, and that
// of those who were to be gone, once that is complete: for all of them, if it is
// waited for.
func (l *load) checkPeople(t *testing.T, wait bool) {
	t.Helper()
	for _, w := range l.workers {
		for _, p := range w.people {
			asked := p.ack(erasures)
			if asked == nil {
				l.checkThere(t, p)
				continue
			}
			path := erasures + "/" + asked.id
			if wait {
				kit.Eventually(t, erasedWithin, p.id+" is erased", func() error {
					a := l.client.Get(t, path)
					return kit.Differ("status of "+a.Short(), a.Str("data.status"), "completed")
				})
			}
			if l.client.Get(t, path).Str("data.status") == "completed" {
				l.checkGone(t, p)
			}
		}
	}
}

// said is all that can be read of a person.
func (l *load) said(t *testing.T, p *person) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, x := range p.acks {
		read := x.path // of a session's events
		switch x.path {
		case sessions:
			read = x.path + "/" + p.session()
		case memories:
			read = x.path + "/" + x.id
		case chats:
			read = "/api/v1/chat/history/" + x.id
		case erasures:
			continue
		}
		out[x.path] = string(l.client.Get(t, read).Body)
	}
	return out
}

func (l *load) checkThere(t *testing.T, p *person) {
	t.Helper()
	for path, text := range l.said(t, p) {
		if !strings.Contains(text, p.secret()) {
			t.Errorf("what %s wrote to %s is not there: %s", p.id, path, text)
		}
	}
}

func (l *load) checkGone(t *testing.T, p *person) {
	t.Helper()
	for path, text := range l.said(t, p) {
		if strings.Contains(text, p.secret()) {
			t.Errorf("what %s wrote to %s is shown after the erasure: %s", p.id, path, text)
		}
	}
	l.client.Do(t, http.StatusGone, http.MethodPost, sessions+"/"+p.session()+"/events", object{"author": "user", "content": object{"text": "x"}})
	l.client.Do(t, http.StatusGone, http.MethodPut, memories+"/"+p.ack(memories).id, object{"content": "x"})
	x := p.ack(erasures)
	a, err := l.client.Call(t.Context(), x.method, x.path, x.body, "Idempotency-Key", x.key)
	if err != nil {
		t.Fatal(err)
	}
	if id, _ := a.Lookup("data.id"); a.Status != http.StatusOK || id != x.id {
		t.Errorf("the erasure %s was acknowledged; repeated, it answers %d %s", x.id, a.Status, a.Short())
	}
}

// searchFiles looks for what erased people said in the files of the stopped
// server, as it was written. That others' is found shows that the search looks in
// the right place.
func (l *load) searchFiles(t *testing.T) {
	t.Helper()
	erased, living := map[string]bool{}, false
	for _, w := range l.workers {
		for _, p := range w.people {
			erased[p.secret()] = p.ack(erasures) != nil
			living = living || p.ack(erasures) == nil && p.ack(sessions) != nil
		}
	}
	secrets, found := regexp.MustCompile(`secret of person-\d+-\d+\.`), false
	err := filepath.WalkDir(l.server.DataDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, s := range secrets.FindAllString(string(text), -1) {
			if found = true; erased[s] {
				t.Errorf("%q is still in %s", s, path)
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if found != living {
		t.Errorf("files hold what somebody said: %v; somebody was not erased: %v", found, living)
	}
}
