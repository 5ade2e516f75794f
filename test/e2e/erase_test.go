//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

const erasuresPath = "/api/v1/privacy/erasures"

// erasedWithin is how long an erasure may take until every copy is gone: a try
// that waits in vain for the analytics engine takes a minute.
const erasedWithin = 3 * time.Minute

// person is somebody whose words went in through every door.
type person struct {
	id, session, memory, chat string
	words                     []string // by door, each a text that occurs nowhere else
}

// word makes a text of a person that can be found again.
func (p *person) word(door string) string {
	w := fmt.Sprintf("Zirkonblau%s%s%d", door, strings.ToUpper(p.id[:1])+p.id[1:], rand.Uint64())
	p.words = append(p.words, w)
	return w
}

// says lets a person use everything there is.
func (c tenant) says(t *testing.T, up *gatewaytest.Upstream, app, id string) *person {
	t.Helper()
	p := &person{id: id}
	create := object{"user_id": id, "state": object{"note": p.word("State")}, "metadata": object{"note": p.word("Meta")}}
	key := "key-" + id + fmt.Sprint(rand.Uint64())
	p.session = c.Create(t, "/v1/sessions", create, "Idempotency-Key", key).Str("uid")
	c.Create(t, "/v1/sessions", create, "Idempotency-Key", key).Want("uid", p.session)
	c.Create(t, "/v1/sessions/"+p.session+"/events", object{"author": "user", "content": object{"text": p.word("Turn")},
		"state_delta": object{"mood": p.word("Delta")}})
	m := c.Create(t, memories, object{"content": "likes " + p.word("Memory"), "user_id": id, "metadata": object{"why": p.word("Why")}})
	p.memory = m.Str("id")
	c.Put(t, memories+"/"+p.memory, object{"content": "loves " + p.word("Revised")})

	up.Always(gatewaytest.Answer("I see: " + p.word("Answer")))
	first := c.Post(t, "/api/v1/chat/completions", object{"appId": app, "message": p.word("Asked"), "userId": id})
	p.chat = first.Str("data.chatId")
	stream, err := c.OpenStream(t.Context(), "POST", "/api/v1/chat/completions",
		object{"appId": app, "message": p.word("Streamed"), "chatId": p.chat, "stream": true})
	if err == nil {
		_, err = stream.All()
		stream.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	c.Do(t, http.StatusCreated, "POST", "/api/v1/chat/feedback", object{"chatId": p.chat, "rating": "positive", "comment": p.word("Comment")})
	c.Post(t, chatPath, say("p/m", p.word("Prompt"), "user", id, "metadata", object{"note": p.word("Label")}), "Strata-Tags", p.word("Tag"))
	up.Always(gatewaytest.Error(http.StatusBadRequest, "cannot read "+p.word("Quoted"), "messages", "invalid"))
	c.Do(t, http.StatusBadRequest, "POST", chatPath, say("p/m", p.word("Refused"), "user", id))
	return p
}

// chatted waits until a number of chats is in the inference log; how often what is
// remembered was embedded beside them, nobody knows.
func (c tenant) chatted(t *testing.T, n int) {
	t.Helper()
	kit.Eventually(t, clickHouseDeadline, fmt.Sprint(n, " chats in the log"), func() error {
		a, err := c.Call(t.Context(), http.MethodGet, "/v1/inference-logs/summary?type=chat", nil)
		if err != nil {
			return err
		}
		got, _ := a.Lookup("total_calls") // nothing while the engine starts
		return kit.Differ("total_calls", got, n)
	})
}

// grow makes a session so long that its state is kept in a snapshot.
func (c tenant) grow(t *testing.T, p *person) {
	t.Helper()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 70 {
				c.Create(t, "/v1/sessions/"+p.session+"/events", object{"author": "user", "content": object{"text": "more"}})
			}
		})
	}
	wg.Wait()
}

// asks asks for an erasure, which may be complete at once or take its time.
func (c tenant) asks(t *testing.T, subject string) *kit.Answer {
	t.Helper()
	a, err := c.Call(t.Context(), "POST", erasuresPath, object{"subject": subject, "reason": "asked for it"})
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != http.StatusOK && a.Status != http.StatusAccepted {
		t.Fatalf("status %d: %s", a.Status, a.Short())
	}
	id, _ := a.Lookup("data.id")
	path := fmt.Sprint(erasuresPath, "/", id)
	// A read waits two seconds for what was written, a slow machine may need more.
	kit.Eventually(t, erasedWithin, "the erasure is shown", func() error {
		shown, err := c.Call(t.Context(), "GET", path, nil, a.After()...)
		if err != nil {
			return err
		}
		return kit.Differ("status", shown.Status, http.StatusOK)
	})
	return c.Get(t, path)
}

// erased waits until an erasure is complete.
func (c tenant) erased(t *testing.T, id string) *kit.Answer {
	t.Helper()
	var a *kit.Answer
	kit.Eventually(t, erasedWithin, "the erasure is complete", func() error {
		a = c.Get(t, erasuresPath+"/"+id)
		return kit.Differ("status of "+a.Short(), a.Str("data.status"), "completed")
	})
	return a
}

// replaced tells whether a word was overwritten with another one: it is on disk by
// chance only.
func replaced(word string) bool { return strings.HasPrefix(word, "ZirkonblauMemory") }

// nowhere fails when a text is in any file.
func nowhere(t *testing.T, texts []string, dirs ...string) {
	t.Helper()
	for text, files := range search(t, texts, dirs...) {
		t.Errorf("%s is still in %v", text, files)
	}
}

// everywhere fails when a text is in no file: then the search proves nothing. It
// looks again for a while, since what was said in a call is written to the analytics
// engine after the call's row, by which the call is counted.
func everywhere(t *testing.T, texts []string, dirs ...string) {
	t.Helper()
	kit.Eventually(t, visible, "every text is in some file", func() error {
		found := search(t, texts, dirs...)
		var missing []string
		for _, text := range texts {
			if len(found[text]) == 0 {
				missing = append(missing, text)
			}
		}
		if len(missing) > 0 {
			return fmt.Errorf("%v are in no file: the test looks wrongly", missing)
		}
		return nil
	})
}

// After a person's data was erased, no file holds it: not the log, its indexes,
// SQLite's files and their write-ahead logs, snapshots, ClickHouse's parts, the
// server's log, nor a backup made before and brought up to date. Everybody
// else's is there, and every read model still equals a fresh fold of the log.
func TestErasure(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	if err := s.WaitClickHouse(clickHouseDeadline); err != nil {
		t.Fatal(err)
	}
	here, there := newTenant(t, s), newTenant(t, s)
	up := here.provide(t, "p")
	app := here.app(t, "p/m")
	upThere := there.provide(t, "p")
	alice, bob := here.says(t, up, app, "alice"), here.says(t, up, app, "bob")
	namesake := there.says(t, upThere, there.app(t, "p/m"), "alice")
	here.grow(t, alice)
	here.chatted(t, 8)
	there.chatted(t, 4)
	settled(t, s)
	words := slices.Concat(alice.words, bob.words, namesake.words)
	everywhere(t, slices.DeleteFunc(slices.Clone(words), replaced), s.DataDir)
	nowhere(t, words, filepath.Join(s.DataDir, "log"))
	backup := filepath.Join(t.TempDir(), "backup")
	tool(t, s, "backup", "--to", backup)
	old := filepath.Join(t.TempDir(), "old")
	if err := os.CopyFS(old, os.DirFS(backup)); err != nil {
		t.Fatal(err)
	}
	nowhere(t, words, backup)
	dump := dumpOf(t, s, backup)
	nowhere(t, words, dump)
	everywhere(t, []string{alice.session, bob.session}, dump) // names of streams are not personal

	asked := here.asks(t, "alice")
	asked.Want("data.subject", "alice", "data.scope", "workspace", "data.reason", "asked for it")
	done := here.erased(t, asked.Str("data.id"))
	if done.Int("data.events") < 1000 || done.Int("data.unsealedEvents") != 0 {
		t.Errorf("erased %s", done.Short())
	}
	nowhere(t, alice.words, s.DataDir, filepath.Clean(s.DataDir)+".log")
	everywhere(t, slices.DeleteFunc(slices.Concat(bob.words, namesake.words), replaced), s.DataDir)

	goneFor(t, here, alice, done.After())
	thereFor(t, here, bob)
	thereFor(t, there, namesake)
	here.Get(t, erasuresPath+"?subject=alice").Want("data.0.id", asked.Str("data.id"), "data.0.status", "completed")
	there.Do(t, http.StatusNotFound, "GET", erasuresPath+"/"+asked.Str("data.id"), nil)
	again := here.says(t, up, app, "alice") // somebody of that name comes back
	thereFor(t, here, again)
	settled(t, s)

	tool(t, s, "backup", "--to", backup)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	nowhere(t, alice.words, s.DataDir, backup)
	for _, model := range []string{"identity", "budgets", "resources", "sessions", "memories", "conversations", "events", "erasures"} {
		tool(t, s, "rebuild", model, "--compare")
	}
	t.Run("a backup from before", func(t *testing.T) { restoredWithout(t, s, here, there, alice, bob, old) })
	t.Run("a dump from before", func(t *testing.T) { loadedWithout(t, s, here, alice, bob, filepath.Join(dump, "log.jsonl")) })
	t.Run("the backup brought up to date", func(t *testing.T) {
		r := restored(t, s, backup)
		goneFor(t, here.on(r), alice, nil)
		thereFor(t, here.on(r), bob)
	})
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	goneFor(t, here, alice, nil)
	thereFor(t, here, again)
}

// restoredWithout restores a backup that was made before the erasure, first with
// the key in it and then without.
func restoredWithout(t *testing.T, s *kit.Server, here, there tenant, alice, bob *person, backup string) {
	thereFor(t, here.on(restored(t, s, backup)), alice) // the key is in it still
	erasing := restored(t, s, backup)
	out, err := erasing.Tool(t.Context(), "erase", "alice", "--workspace", here.Workspace, "--server", erasing.URL, "--backup", backup)
	if err == nil {
		t.Fatalf("erased without a key of the API: %s", out)
	}
	t.Setenv("STRATA_API_KEY", "")
	if err := erasing.Stop(); err != nil {
		t.Fatal(err)
	}
	tool(t, erasing, "erase", "alice", "--workspace", here.Workspace, "--reason", "asked for it", "--backup", backup)
	nowhere(t, alice.words, erasing.DataDir, backup)
	r := restored(t, s, backup)
	a := here.on(r).Get(t, "/v1/sessions/"+alice.session)
	if strings.Contains(string(a.Body), "Zirkonblau") {
		t.Errorf("without the key the backup says %s", a.Short())
	}
	thereFor(t, here.on(r), bob)
	nowhere(t, alice.words, r.DataDir)
}

// dumpOf dumps the log of a backup to log.jsonl in the directory it returns.
func dumpOf(t *testing.T, s *kit.Server, backup string) string {
	t.Helper()
	dir, to := filepath.Join(t.TempDir(), "data"), t.TempDir()
	tool(t, s, "restore", "--from", backup, "--data-dir", dir)
	tool(t, s, "dump", "--data-dir", dir, "--to", filepath.Join(to, "log.jsonl"))
	return to
}

// loadedWithout loads a dump that was made before the erasure beside the key store
// of now: what is sealed under the key that is gone stays sealed, in what is shown
// and in every file, and all else is read. Without any key store the server does
// not take the dump for one of erased people.
func loadedWithout(t *testing.T, s *kit.Server, here tenant, alice, bob *person, dump string) {
	dir := filepath.Join(t.TempDir(), "data")
	tool(t, s, "load", "--from", dump, "--data-dir", dir)
	keys := filepath.Join(dir, "keys")
	if out, err := s.Tool(t.Context(), "rebuild", "sessions", "--data-dir", dir); err == nil || !strings.Contains(out, keys) {
		t.Errorf("a dump is read without keys: %s, %v", out, err)
	}
	if err := os.RemoveAll(keys); err != nil { // the tool has made an empty store
		t.Fatal(err)
	}
	err := os.CopyFS(keys, os.DirFS(filepath.Join(s.DataDir, "keys")))
	if err == nil {
		err = os.Chmod(filepath.Join(keys, "master.key"), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	r := kit.Start(t, kit.Options{DataDir: dir})
	if err := r.WaitClickHouse(clickHouseDeadline); err != nil {
		t.Fatal(err)
	}
	settled(t, r)
	c := here.on(r)
	c.chatted(t, 8)
	goneFor(t, c, alice, nil)
	thereFor(t, c, bob)
	nowhere(t, alice.words, dir, dump)
	everywhere(t, slices.DeleteFunc(slices.Clone(bob.words), replaced), dir)
}

// on is the same workspace and key at another server.
func (c tenant) on(s *kit.Server) tenant {
	c.Client = s.ClientFor(c.Key)
	return c
}

// restored starts a server on a backup.
func restored(t *testing.T, s *kit.Server, backup string) *kit.Server {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if out, err := s.Tool(t.Context(), "restore", "--from", backup, "--data-dir", dir); err != nil {
		t.Fatal(err, out)
	}
	r := kit.Start(t, kit.Options{DataDir: dir})
	settled(t, r)
	return r
}

func settled(t *testing.T, s *kit.Server) {
	t.Helper()
	if err := s.WaitSettled(30 * time.Second); err != nil {
		t.Fatal(err)
	}
}

func tool(t *testing.T, s *kit.Server, args ...string) {
	t.Helper()
	if out, err := s.Tool(t.Context(), args...); err != nil {
		t.Fatal(err, out)
	}
}

// goneFor checks that a person's data can neither be read nor added to.
func goneFor(t *testing.T, c tenant, p *person, after []string) {
	t.Helper()
	session := c.Get(t, "/v1/sessions/"+p.session, after...)
	events := c.Get(t, "/v1/sessions/"+p.session+"/events")
	chat := c.Get(t, "/api/v1/chat/history/"+p.chat)
	memory := c.Get(t, memories+"/"+p.memory)
	for _, a := range []*kit.Answer{session, events, chat, memory, c.Get(t, "/api/v1/events?limit=100"),
		c.Post(t, memories+"/search", object{"query": "likes loves"})} {
		for _, w := range p.words {
			if strings.Contains(string(a.Body), w) {
				t.Errorf("%s is shown: %s", w, a.Short())
			}
		}
	}
	c.Do(t, http.StatusGone, "POST", "/v1/sessions/"+p.session+"/events", object{"author": "user", "content": object{"text": "x"}}).Want("code", "GONE")
	c.Do(t, http.StatusGone, "PUT", memories+"/"+p.memory, object{"content": "x"}).Want("code", "GONE")
	c.Do(t, http.StatusGone, "POST", "/api/v1/chat/feedback", object{"chatId": p.chat, "rating": "positive"}).Want("error.code", "GONE")
}

// thereFor checks that a person's data can be read.
func thereFor(t *testing.T, c tenant, p *person) {
	t.Helper()
	kit.Eventually(t, visible, "what "+p.id+" said is there", func() error {
		var all strings.Builder
		for _, path := range []string{"/v1/sessions/" + p.session, "/v1/sessions/" + p.session + "/events?limit=100",
			"/api/v1/chat/history/" + p.chat, memories + "/" + p.memory} {
			a, err := c.Call(t.Context(), "GET", path, nil)
			if err != nil {
				return err
			}
			all.Write(a.Body)
		}
		for _, w := range p.words {
			door := strings.TrimPrefix(w, "Zirkonblau")
			if slices.ContainsFunc([]string{"State", "Meta", "Turn", "Delta", "Why", "Revised", "Asked", "Streamed"},
				func(d string) bool { return strings.HasPrefix(door, d) }) && !strings.Contains(all.String(), w) {
				return fmt.Errorf("%s is not shown", w)
			}
		}
		return nil
	})
}

// A server that is killed at any moment of an erasure completes it after its
// restart, once its intent is in the log.
func TestErasureSurvivesKills(t *testing.T) {
	s := kit.Start(t, kit.Options{})
	if err := s.WaitClickHouse(clickHouseDeadline); err != nil {
		t.Fatal(err)
	}
	c := newTenant(t, s)
	up := c.provide(t, "p")
	app := c.app(t, "p/m")
	people := map[string]*person{}
	for i := range 5 {
		p := c.says(t, up, app, fmt.Sprint("person", i))
		people[p.id] = p
	}
	c.chatted(t, 4*len(people))
	settled(t, s)
	for i, id := range slices.Sorted(maps.Keys(people)) {
		ctx, cancel := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() {
			_, _ = c.Call(ctx, "POST", erasuresPath, object{"subject": id}) // cut off on purpose
		})
		<-time.After([]time.Duration{5, 20, 60, 200, 600}[i] * time.Millisecond) // any moment: that is the point
		if err := s.Kill(); err != nil {
			t.Fatal(err)
		}
		cancel()
		asking.Wait()
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		settled(t, s)
		list := c.Get(t, erasuresPath+"?subject="+id)
		if len(list.List("data")) == 0 { // killed before the intent
			c.asks(t, id)
			list = c.Get(t, erasuresPath+"?subject="+id)
		}
		done := c.erased(t, list.Str("data.0.id"))
		nowhere(t, people[id].words, s.DataDir)
		goneFor(t, c, people[id], done.After())
	}
}
