package kit

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Bucket serves files as an S3 bucket named "data" that anybody may read, and
// returns its address. It speaks what is needed to list and to read.
func Bucket(t testing.TB, files map[string]string) string {
	t.Helper()
	type contents struct {
		Key          string
		Size         int
		LastModified string
		ETag         string
	}
	type listing struct {
		XMLName     xml.Name `xml:"ListBucketResult"`
		Name        string
		IsTruncated bool
		KeyCount    int
		Contents    []contents
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if key == "" {
			out := listing{Name: "data"}
			for key, text := range files {
				if strings.HasPrefix(key, r.URL.Query().Get("prefix")) {
					out.Contents = append(out.Contents, contents{key, len(text), "2026-01-01T00:00:00Z", `"1"`})
				}
			}
			out.KeyCount = len(out.Contents)
			w.Header().Set("Content-Type", "application/xml")
			_ = xml.NewEncoder(w).Encode(out)
			return
		}
		text, ok := files[key]
		if !ok {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>`))
			return
		}
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), strings.NewReader(text))
	}))
	t.Cleanup(server.Close)
	return server.URL
}
