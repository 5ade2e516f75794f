package bucket_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"strata/domain"
	"strata/internal/bucket"
	"strata/internal/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open reads the bucket "b" of a server.
func open(t *testing.T, h http.Handler, private ...string) *bucket.Bucket {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	guard, err := outbound.New(private)
	if err != nil {
		t.Fatal(err)
	}
	client := bucket.NewClient(guard)
	t.Cleanup(client.CloseIdleConnections)
	return bucket.New(bucket.Config{Bucket: "b", Endpoint: srv.URL, PathStyle: true, Prefix: "data/", AccessKeyID: "AK", SecretAccessKey: "SECRET", Client: client, Attempts: 1})
}

// refusing answers with an error of S3.
func refusing(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>SECRET</Message></Error>", code)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		want   domain.Code
		says   string
	}{
		{403, "AccessDenied", domain.CodeConflict, "access is denied"},
		{403, "SignatureDoesNotMatch", domain.CodeConflict, "does not fit"},
		{404, "NoSuchBucket", domain.CodeConflict, "no such bucket"},
		{301, "PermanentRedirect", domain.CodeConflict, "another region"},
		{400, "Odd<x>Code", domain.CodeUnavailable, "it answers"},
	} {
		err := open(t, refusing(c.status, strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(c.code)), outbound.Everywhere).Check(t.Context())
		own, ok := errors.AsType[*domain.Error](err)
		if !ok || own.Code != c.want || !strings.Contains(own.Message, c.says) || strings.Contains(own.Message, "SECRET") || strings.Contains(own.Message, "<") {
			t.Errorf("%s: %v", c.code, err)
		}
	}
}

func TestGuarded(t *testing.T) {
	asked := false
	b := open(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	err := b.Check(t.Context())
	if domain.CodeOf(err) != domain.CodeUnavailable || !strings.Contains(err.Error(), "outbound.private") || asked {
		t.Errorf("%v, asked %v", err, asked)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	t.Cleanup(other.Close)
	b := open(t, http.RedirectHandler(other.URL, http.StatusTemporaryRedirect), outbound.Everywhere)
	if err := b.Check(t.Context()); err == nil || followed {
		t.Errorf("%v, followed %v", err, followed)
	}
}

// fileServer serves one file by ranges, and breaks each connection after some bytes.
func fileServer(data []byte, each int, requests *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/b/data/x.csv" {
			refusing(http.StatusNotFound, "NoSuchKey")(w, r)
			return
		}
		w.Header().Set("ETag", `"e"`)
		if r.Method == http.MethodHead {
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			return
		}
		requests.Add(1)
		if got := r.Header.Get("If-Match"); got != `"e"` {
			refusing(http.StatusPreconditionFailed, "PreconditionFailed")(w, r)
			return
		}
		var from, to int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err != nil {
			refusing(http.StatusBadRequest, "InvalidArgument")(w, r)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, len(data)))
		w.Header().Set("Content-Length", strconv.Itoa(to-from+1))
		w.WriteHeader(http.StatusPartialContent)
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
		if _, err := w.Write(data[from:min(to+1, from+each)]); err != nil || to+1 > from+each {
			panic(http.ErrAbortHandler) // cut the connection
		}
	}
}

func TestReadsOnAfterABrokenConnection(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 1000)
	var requests atomic.Int64
	b := open(t, fileServer(data, 3000, &requests), outbound.Everywhere)
	f, err := b.Open(t.Context(), "data/x.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ offset, n int64 }{{0, -1}, {5, 7000}, {9999, -1}, {10, 0}, {10_000, -1}} {
		r, err := f.Range(t.Context(), c.offset, c.n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		want := data[c.offset:]
		if c.n >= 0 {
			want = want[:c.n]
		}
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes from %d: %d, %v", c.n, c.offset, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if requests.Load() < 4 {
		t.Errorf("%d requests: the connection was never cut", requests.Load())
	}
}

func TestGivesUp(t *testing.T) {
	var requests atomic.Int64
	b := open(t, fileServer([]byte("0123456789"), 0, &requests), outbound.Everywhere)
	f, err := b.Open(t.Context(), "data/x.csv")
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Range(t.Context(), 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); domain.CodeOf(err) != domain.CodeUnavailable {
		t.Errorf("%v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestOnlyBelowThePrefix(t *testing.T) {
	var requests atomic.Int64
	b := open(t, fileServer([]byte("x"), 1, &requests), outbound.Everywhere)
	for _, key := range []string{"", "x.csv", "secret/x.csv", "data/absent.csv"} {
		if _, err := b.Open(t.Context(), key); domain.CodeOf(err) != domain.CodeNotFound {
			t.Errorf("%q: %v", key, err)
		}
	}
	if pages, err := b.List(t.Context(), "other/", 10); err != nil || len(pages) != 0 {
		t.Errorf("%v, %v", pages, err)
	}
}

func TestChangedWhileRead(t *testing.T) {
	var requests atomic.Int64
	b := open(t, fileServer([]byte("0123456789"), 10, &requests), outbound.Everywhere)
	f, err := b.Open(t.Context(), "data/x.csv")
	if err != nil {
		t.Fatal(err)
	}
	f.ETag = `"older"`
	if _, err := f.Range(t.Context(), 0, -1); domain.CodeOf(err) != domain.CodeConflict || !strings.Contains(err.Error(), "changed") {
		t.Errorf("%v", err)
	}
}

func TestLists(t *testing.T) {
	b := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		w.Header().Set("Content-Type", "application/xml")
		if q.Get("prefix") != "data/2024/" {
			refusing(http.StatusBadRequest, "Prefix"+q.Get("prefix"))(w, r)
			return
		}
		const item = "<Contents><Key>data/2024/%s</Key><Size>%d</Size><LastModified>2024-01-02T03:04:05Z</LastModified><ETag>&quot;e&quot;</ETag></Contents>"
		body, more := fmt.Sprintf(item+item, "", 0, "a.csv", 5), true
		if q.Get("continuation-token") != "" {
			body, more = fmt.Sprintf(item+item, "b.csv", 6, "c.csv", 7), false
		}
		fmt.Fprintf(w, "<ListBucketResult><IsTruncated>%v</IsTruncated><NextContinuationToken>next</NextContinuationToken>%s</ListBucketResult>", more, body)
	}), outbound.Everywhere)
	for limit, want := range map[int]string{1: "data/2024/a.csv ", 2: "data/2024/a.csv data/2024/b.csv ", 10: "data/2024/a.csv data/2024/b.csv data/2024/c.csv "} {
		pages, err := b.List(t.Context(), "data/2024/", limit)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, page := range pages {
			for _, o := range page {
				got += o.Key + " "
			}
		}
		if got != want {
			t.Errorf("limit %d: %q", limit, got)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open(t, refusing(500, "InternalError"), outbound.Everywhere).Check(ctx); domain.CodeOf(err) != domain.CodeTimeout {
		t.Errorf("%v", err)
	}
}
