package httpx_test

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/internal/httpx"
)

// taken is what the upload of these tests answers.
type taken struct {
	Files []string `json:"files" example:"[\"a.csv\"]"`
	Model string   `json:"model" example:"strata/extract-1"`
}

func uploads(t *testing.T) *httpx.Router {
	t.Helper()
	r := httpx.New(httpx.Options{})
	op := httpx.UploadOp{
		Op:    httpx.Op{ID: "takeFiles", Method: http.MethodPost, Path: "/files", Mount: httpx.V1, Public: true, MaxBody: 2000, Timeout: time.Minute, Status: http.StatusCreated},
		Files: "files", Example: "a,b", Form: map[string]string{"model": "Which one reads."},
	}
	httpx.Upload(r, op, func(_ context.Context, form *httpx.Form) (httpx.Reply[taken], error) {
		var out taken
		for {
			f, err := form.Next()
			if err == io.EOF {
				out.Model = form.Field("model")
				return httpx.Respond(out)
			}
			if err != nil {
				return httpx.Reply[taken]{}, err
			}
			text, err := io.ReadAll(f)
			if err != nil {
				return httpx.Reply[taken]{}, err
			}
			out.Files = append(out.Files, f.Name+" "+f.ContentType+" "+string(text))
		}
	})
	return r
}

// formOf writes a form of names and contents; a name with a dot is a file.
func formOf(t *testing.T, fields ...string) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(fields); i += 2 {
		name, value := fields[i], fields[i+1]
		var err error
		if field, file, ok := strings.Cut(name, "="); ok {
			var part io.Writer
			if part, err = w.CreateFormFile(field, file); err == nil {
				_, err = io.WriteString(part, value)
			}
		} else {
			err = w.WriteField(name, value)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.Bytes()
}

func TestUpload(t *testing.T) {
	r := uploads(t)
	send := func(contentType string, body []byte) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodPost, "/v1/files", bytes.NewReader(body))
		req.Header.Set("Content-Type", contentType)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, req)
		return w
	}
	form := func(fields ...string) *httptest.ResponseRecorder {
		contentType, body := formOf(t, fields...)
		return send(contentType, body)
	}
	for _, c := range []struct {
		name   string
		answer *httptest.ResponseRecorder
		status int
		says   string
	}{
		{"two files", form("files=../x/a.csv", "1,2", "model", "m ", "files[]=b", "two"), 201,
			`{"files":["a.csv application/octet-stream 1,2","b application/octet-stream two"],"model":"m"}`},
		{"no file", form("model", "m"), 400, `{"field":"files","message":"is required: at least one file"}`},
		{"no file name", form("files", "text"), 400, `{"field":"files","message":"must be files`},
		{"unknown field", form("files=a", "1", "more", "x"), 400, `{"field":"more"`},
		{"too large", form("files=a", strings.Repeat("x", 3000)), 413, "larger than 2000 bytes"},
		{"no form", send("application/json", []byte("{}")), 415, "only multipart/form-data"},
		{"cut", send("multipart/form-data; boundary=x", []byte("--x\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a\"\r\n\r\nhalf")), 400, string(domain.CodeInvalidRequest)},
	} {
		if c.answer.Code != c.status || !strings.Contains(c.answer.Body.String(), c.says) {
			t.Errorf("%s: %d %s", c.name, c.answer.Code, c.answer.Body)
		}
	}
}

func TestUploadOfUnknownLengthIsBounded(t *testing.T) {
	contentType, body := formOf(t, "files=a", strings.Repeat("x", 3000))
	req := httptest.NewRequest(http.MethodPost, "/v1/files", io.MultiReader(bytes.NewReader(body))) // chunked
	req.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	uploads(t).ServeHTTP(w, req)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestUploadIsDocumented(t *testing.T) {
	spec, err := uploads(t).Document()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"multipart/form-data"`, `"binary"`, `{"files":["a,b"]}`, `"Which one reads."`} {
		if !bytes.Contains(spec.JSON, []byte(part)) {
			t.Errorf("the document lacks %s", part)
		}
	}
}
