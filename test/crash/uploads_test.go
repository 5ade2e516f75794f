//go:build e2e

package crash

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"strata/test/kit"
)

const (
	uploads      = "/v1/personas/upload"
	uploadedRows = 1200 // more than two of the portions that rows are kept and applied in
)

// people is a form with a table of personas. Those of one prefix are different people.
func people(t *testing.T, prefix string) (body kit.Raw, contentType string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("files", prefix+".csv")
	if err == nil {
		var table strings.Builder
		table.WriteString("name,birthdate,notes\n")
		for i := range uploadedRows {
			fmt.Fprintf(&table, "%s %d,1990-01-01,of the upload\n", prefix, i)
		}
		_, err = part.Write([]byte(table.String()))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), w.FormDataContentType()
}

// personas counts the personas of a server, and their different names.
func personas(t *testing.T, c *kit.Client, prefix string) (count, names int) {
	t.Helper()
	seen := map[string]bool{}
	path := "/v1/personas?limit=100"
	for next := path; next != ""; {
		a := c.Get(t, next)
		for _, p := range a.List("data") {
			if name := fmt.Sprint(p.(object)["name"]); strings.HasPrefix(name, prefix+" ") {
				count++
				seen[name] = true
			}
		}
		next = ""
		if items := a.Strings("data", "id"); a.Bool("has_more") {
			next = path + "&after=" + items[len(items)-1]
		}
	}
	return count, len(seen)
}

// An upload that was not acknowledged leaves nothing behind that anybody sees, wherever
// its server is killed; one that was, is there. A confirmed one is applied to its end,
// every row once.
func TestUploadsSurviveKills(t *testing.T) {
	server := kit.Start(t, kit.Options{Binary: failpoints(t)})
	c := server.Client()
	for _, point := range []string{"upload.read", "upload.chunk:2", "upload.kept", "upload.prepared"} {
		s := &scene{T: t, server: server, c: c, point: point}
		prefix := strings.ReplaceAll(point, ":", ".")
		body, contentType := people(t, prefix)
		s.restart("STRATA_FAILPOINT=" + point)
		if a, err := c.Call(t.Context(), http.MethodPost, uploads, body, "Content-Type", contentType); err == nil {
			t.Fatalf("%s: the upload was answered with %d %s", point, a.Status, a.Short())
		}
		s.ended()
		s.start()
		if n, _ := personas(t, c, prefix); n != 0 {
			t.Errorf("%s: %d personas of an upload that nobody confirmed", point, n)
		}
		up := c.Do(t, http.StatusOK, http.MethodPost, uploads, body, "Content-Type", contentType)
		up.Want("total", uploadedRows, "conflict_personas", 0) // not even those of the first try
	}
	for _, point := range []string{"upload.confirmed", "upload.applying:2", "upload.applied", "upload.applied:3"} {
		confirmKilled(&scene{T: t, server: server, c: c, point: point})
	}
}

// confirmKilled confirms an upload at a server that is killed meanwhile.
func confirmKilled(s *scene) {
	s.Helper()
	prefix := strings.ReplaceAll(s.point, ":", ".")
	body, contentType := people(s.T, prefix)
	up := s.c.Do(s, http.StatusOK, http.MethodPost, uploads, body, "Content-Type", contentType)
	path := uploads + "/" + up.Str("upload_token") + "/confirm"
	choice, key := object{"conflict_resolution": "create"}, []string{"Idempotency-Key", s.point}
	s.restart("STRATA_FAILPOINT=" + s.point)
	if a, err := s.c.Call(s.Context(), http.MethodPost, path, choice, key...); err == nil {
		s.Fatalf("%s: the confirmation was answered with %d %s", s.point, a.Status, a.Short())
	}
	s.ended()
	s.start()
	kit.Eventually(s, 2*within, s.point+": the upload is applied", func() error {
		a, err := s.c.Call(context.WithoutCancel(s.Context()), http.MethodPost, path, choice, key...)
		if err != nil {
			return err
		}
		status, _ := a.Lookup("status")
		return kit.Differ("status", status, "completed")
	})
	kit.Eventually(s, within, s.point+": everybody is listed", func() error {
		count, names := personas(s.T, s.c, prefix)
		if count > uploadedRows {
			s.Fatalf("%s: %d personas of %d rows", s.point, count, uploadedRows)
		}
		return kit.Differ("names", names, uploadedRows)
	})
}
