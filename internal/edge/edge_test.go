package edge_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"strata/internal/edge"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a node that tells what it was asked.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	asked []*http.Request
	down  atomic.Bool
	serve http.HandlerFunc
}

func newFake(t *testing.T, serve http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{serve: serve}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			if f.down.Load() {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			return
		}
		f.mu.Lock()
		f.asked = append(f.asked, r)
		f.mu.Unlock()
		f.serve(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

func (f *fake) last() *http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[len(f.asked)-1]
}

// complaints are what a server logs.
type complaints struct {
	mu   sync.Mutex
	said strings.Builder
}

func (c *complaints) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.said.Write(line)
}

// front is an edge before some nodes, with its health checks running; change may
// configure it further.
func front(t *testing.T, writers, readers []*fake, change ...func(*edge.Config)) *httptest.Server {
	t.Helper()
	urls := func(nodes []*fake) (out []string) {
		for _, n := range nodes {
			out = append(out, n.URL)
		}
		return out
	}
	cfg := edge.Config{
		Writers: urls(writers), Readers: urls(readers), CheckEvery: 5 * time.Millisecond, CheckWithin: time.Minute, // a node on a busy machine is no silent one
		Room: func(r *http.Request) (string, bool) {
			switch {
			case strings.HasPrefix(r.URL.Path, "/admin"):
				return edge.Admin, true
			case r.Method == http.MethodGet:
				return edge.Read, true
			}
			return edge.Write, true
		},
		Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		},
	}
	for _, f := range change {
		f(&cfg)
	}
	e, err := edge.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(e)
	var logged complaints
	server.Config.ErrorLog = log.New(&logged, "", 0)
	server.Start()
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx) })
	t.Cleanup(func() {
		server.Close()
		stop()
		running.Wait()
		logged.mu.Lock()
		defer logged.mu.Unlock()
		if said := logged.said.String(); said != "" {
			t.Errorf("the edge's server says: %s", said)
		}
	})
	return server
}

func ask(t *testing.T, s *httptest.Server, method, path, body string, headers ...string) (status int, text string, header http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer ann")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	read, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(read), res.Header
}

func says(text string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		_, _ = io.WriteString(w, text)
	}
}

func TestARoomServesItsOperations(t *testing.T) {
	w, r := newFake(t, says("written")), newFake(t, says("read"))
	s := front(t, []*fake{w}, []*fake{r})
	if _, text, _ := ask(t, s, "POST", "/v1/x", "{}"); text != "written" {
		t.Errorf("POST: %q", text)
	}
	if _, text, h := ask(t, s, "GET", "/v1/x", ""); text != "read" || "http://"+h.Get(edge.HeaderNode) != r.URL {
		t.Errorf("GET: %q from %s", text, h.Get(edge.HeaderNode))
	}
}

// A caller's reads wait for its writes, whether a header or a trailer told where
// they stand; other callers' reads, and those that say what they want, do not.
func TestReadsWaitForTheCallersWrites(t *testing.T) {
	position := "7"
	w := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stream" {
			_, _ = io.WriteString(w, "data\n")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"Strata-Position", "9")
			return
		}
		w.Header().Set("Strata-Position", position)
	})
	r := newFake(t, says("read"))
	s := front(t, []*fake{w}, []*fake{r})
	reads := func(want string, path string, headers ...string) {
		t.Helper()
		ask(t, s, "GET", path, "", headers...)
		if got := r.last().Header.Get("Strata-Min-Position"); got != want {
			t.Errorf("the read waits for %q, not %q", got, want)
		}
	}
	reads("", "/v1/x")
	ask(t, s, "POST", "/v1/x", "{}")
	reads("7", "/v1/x")
	reads("0", "/v1/x", "Strata-Min-Position", "0")
	reads("", "/v1/x?min_position=3")
	reads("", "/v1/x", "Authorization", "Bearer ben")
	ask(t, s, "POST", "/stream", "{}")
	reads("9", "/v1/x")
	position = "8"
	ask(t, s, "POST", "/v1/x", "{}")
	reads("9", "/v1/x")
}

// Of two nodes one goes away: what is harmless is sent to the other, the rest is
// refused, saying that its outcome is not known.
func TestWhatIsTriedAgain(t *testing.T) {
	dies := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		name, method string
		headers      []string
		status       int
		sent         int
	}{
		{"a read", "GET", nil, http.StatusOK, 2},
		{"a write under a key", "POST", []string{"Idempotency-Key", "k"}, http.StatusOK, 2},
		{"a write", "POST", nil, http.StatusServiceUnavailable, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad, good := newFake(t, dies), newFake(t, says("done"))
			nodes := []*fake{bad, good}
			s := front(t, nodes, nodes)
			for bad.count() == 0 { // either may be first
				before := good.count()
				status, text, _ := ask(t, s, c.method, "/v1/x", "{}", c.headers...)
				if bad.count() == 0 {
					continue
				}
				if status != c.status || bad.count()+good.count()-before != c.sent {
					t.Errorf("status %d after %d tries: %s", status, bad.count()+good.count()-before, text)
				}
			}
		})
	}
}

func TestWhoIsNotThereIsPassedOver(t *testing.T) {
	gone, there := newFake(t, says("gone")), newFake(t, says("there"))
	nodes := []*fake{gone, there}
	s := front(t, nodes, nodes)
	gone.Close() // no connection can be made: nothing was sent, so anything is tried again
	for i := range 6 {
		if status, text, _ := ask(t, s, "POST", "/v1/x", fmt.Sprint(i)); status != http.StatusOK || text != "there" {
			t.Fatalf("%d: %d %s", i, status, text)
		}
	}
	there.Close()
	if status, text, _ := ask(t, s, "POST", "/v1/x", "{}"); status != http.StatusServiceUnavailable {
		t.Errorf("with no node at all: %d %s", status, text)
	}
}

// A node that is stopped takes connections and never answers.
func TestAReadDoesNotWaitForASilentNode(t *testing.T) {
	end := make(chan struct{})
	stopped := newFake(t, func(http.ResponseWriter, *http.Request) { <-end })
	stopped.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end })
	defer close(end)
	good := newFake(t, says("good"))
	nodes := []*fake{stopped, good}
	s := front(t, nodes, nodes, func(c *edge.Config) { c.CheckWithin = time.Second })
	for range 4 {
		if _, text, _ := ask(t, s, "GET", "/v1/x", ""); text != "good" {
			t.Errorf("read %q", text)
		}
	}
}

// What concerns one node goes to one, and to another when it is named.
func TestAdminOperationsGoToOneNode(t *testing.T) {
	a, b := newFake(t, says("a")), newFake(t, says("b"))
	s := front(t, []*fake{a}, []*fake{a, b})
	for range 4 {
		if _, text, _ := ask(t, s, "POST", "/admin/x", ""); text != "a" {
			t.Errorf("answered by %q", text)
		}
	}
	if _, text, _ := ask(t, s, "GET", "/admin/x", "", edge.HeaderNode, strings.TrimPrefix(b.URL, "http://")); text != "b" {
		t.Errorf("named, answered by %q", text)
	}
}

func TestFaultyNodes(t *testing.T) {
	for _, urls := range [][]string{nil, {"localhost:8000"}, {"ftp://x"}, {"http://x/path"}} {
		if _, err := edge.New(edge.Config{Writers: urls, Readers: []string{"http://ok:1"}}); err == nil {
			t.Errorf("%v is accepted", urls)
		}
	}
}
