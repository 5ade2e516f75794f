package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"strata/internal/httpx"
)

// got is an answer to GET, without what differs from request to request.
type got struct {
	status     int
	etag, body string
}

func (i *installation) read(t *testing.T, path, key, position string) got {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, i.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set(httpx.HeaderMinPosition, position)
	res, err := i.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(body), `,"meta":`)
	text, _, _ = strings.Cut(text, `,"request_id":`)
	return got{res.StatusCode, res.Header.Get("ETag"), text}
}

// Whatever happens to resources, an answer that was kept is the answer that
// would be given, to the byte, and nobody else's.
func TestKeptAnswersAreNeverOld(t *testing.T) {
	i := start(t)
	other := i.workspaceKey(t, "Other")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	post := func(method, path string, body any) {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(method, i.URL+path, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+testKey)
		res, err := i.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode >= 500 { // what is refused changes nothing
			t.Fatalf("%s %s: %d", method, path, res.StatusCode)
		}
	}
	app := call(t, i, "POST", "/api/v1/apps", object{"name": "a", "type": "chat"}).must(t, http.StatusCreated).field(t, "id")
	prompt := call(t, i, "POST", "/api/v1/prompts", object{"name": "p", "template": "Hi"}).must(t, http.StatusCreated).field(t, "id")
	uid := i.addSession(t, testKey)
	i.plain(t, "POST", "/v1/sessions", object{"uid": "mine"}, testKey)
	i.plain(t, "POST", "/v1/sessions", object{"uid": "mine", "app_name": "of the other"}, other)
	steps := []func(n int){
		func(n int) { post("PUT", "/api/v1/apps/"+app, object{"name": fmt.Sprint("a", n)}) },
		func(n int) { post("PUT", "/api/v1/prompts/"+prompt, object{"template": fmt.Sprint("<Hi> ", n)}) },
		func(n int) {
			post("POST", "/v1/sessions/"+uid+"/events", object{"author": "user", "content": object{"text": fmt.Sprint(n)}, "state_delta": object{"n": n}})
		},
		func(n int) { i.addEvent(t, "mine", fmt.Sprint(n), other) },
		func(int) { post("POST", "/v1/sessions/"+uid+"/close", nil) },
		func(int) { post("DELETE", "/v1/sessions/mine", nil) },
		func(int) { post("DELETE", "/api/v1/apps/"+app, nil) },
	}
	paths := []string{"/api/v1/apps/" + app, "/api/v1/prompts/" + prompt, "/v1/sessions/" + uid, "/v1/sessions/mine"}
	for n := range 60 {
		last := len(steps)
		if n < 40 { // ends come late
			last -= 3
		}
		steps[random.IntN(last)](n)
		head, err := i.app.store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		path, position := paths[random.IntN(len(paths))], fmt.Sprint(head)
		answers := map[string][3]got{}
		for _, key := range []string{testKey, other} {
			answers[key] = [3]got{i.read(t, path, key, position), i.read(t, path, key, position)}
		}
		i.app.models.answers.Flush()
		for key, a := range answers {
			if a[2] = i.read(t, path, key, position); a[0] != a[2] || a[1] != a[2] {
				t.Fatalf("step %d, %s: %+v, then %+v, afresh %+v", n, path, a[0], a[1], a[2])
			}
			if foreign := key == other && path != "/v1/sessions/mine"; foreign != (a[2].status == http.StatusNotFound) && n < 40 {
				t.Fatalf("step %d, %s: %+v", n, path, a[2])
			}
		}
	}
}
