package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"strata/gateway/gatewaytest"
)

// write sends a command on either mount and keeps what it answered.
func (l *life) write(method, path string, body any) reply {
	l.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		l.t.Fatal(err)
	}
	req, err := http.NewRequest(method, l.s.URL+path, bytes.NewReader(text))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := l.s.Client().Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		l.t.Fatalf("%s %s: %d %v %s", method, path, res.StatusCode, err, raw)
	}
	out := reply{Status: res.StatusCode, Header: res.Header, Data: raw}
	if strings.HasPrefix(path, "/api/") {
		if err := json.Unmarshal(raw, &out); err != nil {
			l.t.Fatal(err)
		}
	}
	return out
}

// begin makes a resource; its path follows from the answer.
func begin(t *testing.T, s *installation, collection string, body any, id string) *life {
	t.Helper()
	l := newLife(t, s, collection)
	made := l.write("POST", collection, body)
	l.path += "/" + made.field(t, id)
	l.answered(made)
	return l
}

func TestSessionsTravel(t *testing.T) {
	s := start(t)
	for _, uid := range []string{"", "chosen-by-me"} {
		l := begin(t, s, "/v1/sessions", object{"uid": uid, "user_id": "user_bob", "state": object{"step": 1, "Kept": object{"A_b": true}}}, "uid")
		l.grown = "events"
		for n := range 3 {
			l.write("POST", l.path+"/events", object{"author": "user", "content": object{"said_it": n}, "state_delta": object{"step": n + 2}})
		}
		l.answered(l.write("POST", l.path+"/close", nil))
		l.check(false)
		var was struct {
			Events []struct {
				Content struct {
					SaidIt int `json:"said_it"`
				}
			}
			State struct{ Step int }
		}
		if err := json.Unmarshal([]byte(l.at("2")), &was); err != nil || len(was.Events) != 2 || was.Events[1].Content.SaidIt != 1 || was.State.Step != 3 {
			t.Errorf("%v: after two events it was %+v", err, was)
		}
		entries := l.history("asc")
		if last := entries[3].Changes[len(entries[3].Changes)-1]; last.Path != "/events/-" || !bytes.Contains(last.After, []byte(`"said_it":2`)) {
			t.Errorf("the third event is shown as %+v", entries[3].Changes)
		}
		l.write("DELETE", l.path, nil)
		l.check(true)
	}
}

func TestMemoriesTravel(t *testing.T) {
	s := start(t)
	l := begin(t, s, "/v1/memory/internal/memories", object{"content": "Likes tea", "user_id": "user_bob", "metadata": object{"Source_x": 1}}, "id")
	l.answered(l.write("PATCH", l.path, object{"content": "Likes coffee", "importance": 0.5}))
	l.answered(l.write("PATCH", l.path, object{"metadata": nil, "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}))
	l.check(false)
	l.write("DELETE", l.path, nil)
	l.check(true)
	if status, _, _, _ := l.look(strings.Replace(l.path, "internal", "elsewhere", 1), "at", "0"); status != http.StatusNotFound {
		t.Errorf("another provider's memory: %d", status)
	}
}

func TestBudgetsTravel(t *testing.T) {
	s := start(t)
	for _, scope := range []string{"workspace", "organization"} {
		l := begin(t, s, "/api/v1/budgets", object{"name": "b", "scopeType": scope, "limitUsd": 2, "period": "daily"}, "id")
		call(t, s, "POST", "/openai/v1/chat/completions", object{"model": "strata/extract-1", "messages": []object{{"role": "user", "content": "hi"}}})
		l.answered(l.write("PUT", l.path, object{"limitUsd": 3, "name": "c", "hardLimit": false}))
		l.answered(l.write("POST", l.path+"/reset", object{"reason": "test"}))
		l.check(false)
		l.write("DELETE", l.path, nil)
		l.check(true)
	}
}

func TestChatsTravel(t *testing.T) {
	c := startChat(t)
	first := c.ask(t, c.message("hi")).must(t, http.StatusOK)
	chat := first.field(t, "chatId")
	c.up.Next(gatewaytest.Status(http.StatusBadRequest, `{"error":{"message":"no"}}`))
	c.ask(t, c.message("again", "chatId", chat))
	call(t, c.installation, "POST", "/api/v1/chat/feedback", object{"chatId": chat, "messageId": first.field(t, "messageId"), "rating": "positive"}).must(t, http.StatusCreated)
	l := newLife(t, c.installation, "/api/v1/chat/history/"+chat)
	l.grown = "messages"
	now := ""
	eventually(t, "the read model has the feedback", func() bool {
		_, data, _, _ := l.look(l.path)
		now = string(data)
		return strings.Contains(now, `"feedback":"positive"`)
	})
	l.check(false)
	entries := l.history("asc")
	if then := l.at(fmt.Sprint(len(entries) - 1)); then != now {
		t.Errorf("the past's last is\n%s, the read model's\n%s", then, now)
	}
	if then := l.at("2"); strings.Contains(then, "positive") || strings.Count(then, `"role"`) != 2 {
		t.Errorf("after the first answer it was %s", then)
	}
	call(t, c.installation, "DELETE", l.path, nil).must(t, http.StatusOK)
	l.check(true)
}

func TestTenantsTravel(t *testing.T) {
	s := start(t)
	org := "/api/v1/organizations/" + firstOrganization
	for _, path := range []string{org, org + "/workspaces/" + firstWorkspace, "/api/v1/user/profile", "/api/v1/users/" + firstUser} {
		l := newLife(t, s, path)
		_, data, _, _ := l.look(path)
		l.then[0] = string(data)
		l.check(false)
	}
	for _, collection := range []string{"/api/v1/user/api-keys", org + "/api-keys"} {
		l := newLife(t, s, collection)
		made := l.write("POST", collection, object{"name": "k", "type": "user"})
		token := made.field(t, "key")
		l.path += "/" + made.field(t, "id")
		l.then[0] = without(t, string(made.Data), "key")
		l.write("DELETE", l.path, nil)
		l.check(false) // it is still there, revoked
		_, now, _, _ := l.look(l.path)
		if at := l.at("1"); at != string(now) || !strings.Contains(at, `"revoked"`) {
			t.Errorf("it was %s and is %s", at, now)
		}
		_, told, _, _ := l.look(l.path + "/history")
		if bytes.Contains(told, []byte(token[len(token)-20:])) || bytes.Contains(told, []byte("ecretHash")) || bytes.Contains(told, []byte("ecret_hash")) {
			t.Errorf("a secret is in %s", told)
		}
	}
}
