package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"strata/internal/ratelimit"
)

// The benchmarks compare an operation with everything on (authentication, rate
// limit, metrics, validation, envelope) with a bare gorilla/mux handler that
// does the same job by hand.

type benchUser struct {
	ID        string   `json:"id" access:"r"`
	FullName  string   `json:"full_name" required:"true" minLength:"1" maxLength:"100"`
	Email     string   `json:"email" required:"true" maxLength:"200"`
	Age       int      `json:"age" minimum:"0" maximum:"150"`
	RoleNames []string `json:"role_names" maxItems:"10"`
	IsActive  bool     `json:"is_active" default:"true"`
}

const benchBody = `{"fullName":"Ada Lovelace","email":"ada@example.com","age":36,"roleNames":["admin","author"],"isActive":true}`

func benchRouter() *Router {
	o := testOptions()
	o.Now = nil
	o.Limiter = ratelimit.New(ratelimit.Config{})
	o.Metrics = prometheus.NewRegistry()
	r := New(o)
	type byID struct {
		ID string `path:"id"`
	}
	kept := []byte(`{"id":"u1","fullName":"Ada Lovelace","email":"ada@example.com","age":36,"roleNames":[],"isActive":true}`)
	Register(r, Op{ID: "kept", Method: "GET", Path: "/kept/{id}", Mount: API, Permission: "users:read", Reads: "users"},
		func(_ context.Context, in *byID) (Reply[benchUser], error) {
			return Reply[benchUser]{Spelled: kept, Revision: RevisionOf(3)}, nil
		})
	for _, m := range []*Mount{API, V1} {
		suffix := strings.ReplaceAll(m.Prefix, "/", "_")
		Register(r, Op{ID: "get" + suffix, Method: "GET", Path: "/users/{id}", Mount: m, Permission: "users:read"},
			func(_ context.Context, in *byID) (Reply[benchUser], error) {
				return Reply[benchUser]{Body: benchUser{ID: in.ID, FullName: "Ada Lovelace", Email: "ada@example.com", Age: 36}, Revision: RevisionOf(3)}, nil
			})
		Register(r, Op{ID: "post" + suffix, Method: "POST", Path: "/users", Mount: m, Permission: "users:create", Status: 201},
			func(_ context.Context, in *struct{ Body benchUser }) (Reply[benchUser], error) {
				in.Body.ID = "user_1"
				return Reply[benchUser]{Body: in.Body, Revision: RevisionOf(0), Position: 7}, nil
			})
	}
	return r
}

func bareRouter() http.Handler {
	r := mux.NewRouter()
	write := func(w http.ResponseWriter, u benchUser) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(u)
	}
	r.HandleFunc("/v1/users/{id}", func(w http.ResponseWriter, req *http.Request) {
		write(w, benchUser{ID: mux.Vars(req)["id"], FullName: "Ada Lovelace", Email: "ada@example.com", Age: 36})
	}).Methods("GET")
	r.HandleFunc("/v1/users", func(w http.ResponseWriter, req *http.Request) {
		var u struct {
			FullName  string   `json:"fullName"`
			Email     string   `json:"email"`
			Age       int      `json:"age"`
			RoleNames []string `json:"roleNames"`
			IsActive  bool     `json:"isActive"`
		}
		if err := json.NewDecoder(req.Body).Decode(&u); err != nil {
			w.WriteHeader(400)
			return
		}
		write(w, benchUser{FullName: u.FullName, Email: u.Email, Age: u.Age, RoleNames: u.RoleNames, IsActive: u.IsActive})
	}).Methods("POST")
	return r
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ h http.Header }

func (d discard) Header() http.Header         { return d.h }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func benchHandler(b *testing.B, h http.Handler, method, target, body string) {
	b.ReportAllocs()
	reader := strings.NewReader(body)
	req := httptest.NewRequest(method, target, io.NopCloser(reader))
	req.ContentLength = int64(len(body))
	req.Header.Set("Authorization", "Bearer admin")
	req.Header.Set("Content-Type", "application/json")
	w := discard{http.Header{}}
	for b.Loop() {
		reader.Reset(body)
		clear(w.h)
		h.ServeHTTP(w, req)
	}
}

func BenchmarkHandler(b *testing.B) {
	r, bare := benchRouter(), bareRouter()
	b.Run("get/bare", func(b *testing.B) { benchHandler(b, bare, "GET", "/v1/users/u1", "") })
	b.Run("get/plain", func(b *testing.B) { benchHandler(b, r, "GET", "/v1/users/u1", "") })
	b.Run("get/enveloped", func(b *testing.B) { benchHandler(b, r, "GET", "/api/v1/users/u1", "") })
	r.Freeze()
	r.table.recent.wrote("key_1", 7) // an answer kept as it was sent, to a caller who has written before
	b.Run("get/kept", func(b *testing.B) { benchHandler(b, r, "GET", "/api/v1/kept/u1", "") })
	b.Run("post/bare", func(b *testing.B) { benchHandler(b, bare, "POST", "/v1/users", benchBody) })
	b.Run("post/plain", func(b *testing.B) { benchHandler(b, r, "POST", "/v1/users", benchBody) })
	b.Run("post/enveloped", func(b *testing.B) { benchHandler(b, r, "POST", "/api/v1/users", benchBody) })
}

// BenchmarkLoopback measures whole requests over TCP, many at a time.
func BenchmarkLoopback(b *testing.B) {
	r, bare := benchRouter(), bareRouter()
	b.Run("get/bare", func(b *testing.B) { benchServer(b, bare, "GET", "/v1/users/u1", "") })
	b.Run("get/enveloped", func(b *testing.B) { benchServer(b, r, "GET", "/api/v1/users/u1", "") })
	b.Run("post/bare", func(b *testing.B) { benchServer(b, bare, "POST", "/v1/users", benchBody) })
	b.Run("post/enveloped", func(b *testing.B) { benchServer(b, r, "POST", "/api/v1/users", benchBody) })
}

// benchServer sends prepared requests over raw connections: net/http's client
// costs more than the server and would hide what is measured.
func benchServer(b *testing.B, h http.Handler, method, target, body string) {
	server := httptest.NewServer(h)
	defer server.Close()
	request := method + " " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin\r\nContent-Type: application/json\r\nContent-Length: " +
		itoa(len(body)) + "\r\n\r\n" + body
	before := cpuTime(b)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		for pb.Next() {
			if _, err := io.WriteString(conn, request); err != nil {
				b.Error(err)
				return
			}
			if err := readAnswer(conn, buf); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// cpuTime is what the process has used, client and server: unlike the clock on
// the wall it does not count the neighbours of a busy machine.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// readAnswer reads one answer with a Content-Length.
func readAnswer(conn net.Conn, buf []byte) error {
	n := 0
	for {
		m, err := conn.Read(buf[n:])
		if err != nil {
			return err
		}
		n += m
		head := bytes.Index(buf[:n], []byte("\r\n\r\n"))
		if head < 0 {
			continue
		}
		at := bytes.Index(buf[:head], []byte("Content-Length: "))
		length := 0
		for _, c := range buf[at+16 : head] {
			if c < '0' || c > '9' {
				break
			}
			length = length*10 + int(c-'0')
		}
		if n >= head+4+length {
			return nil
		}
	}
}

func itoa(n int) string { return string(appendJSON(nil, n)) }

func BenchmarkRewrite(b *testing.B) {
	r := benchRouter()
	s := r.ids["post_api_v1"].in.body.shape
	b.Run("canonical", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(benchBody)))
		var dst []byte
		for b.Loop() {
			dst, _, _ = canonical(dst[:0], []byte(benchBody), s, true)
		}
	})
	out := r.ids["post_api_v1"].out.shape
	raw, err := json.Marshal(benchUser{FullName: "Ada", Email: "a@b.c"})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("render", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(raw)))
		var dst []byte
		for b.Loop() {
			dst, _ = render(dst[:0], raw, out, true)
		}
	})
}
