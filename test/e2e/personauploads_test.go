//go:build e2e

package e2e

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"

	"strata/gateway/gatewaytest"
	"strata/test/kit"
)

// form is an upload of files, given as pairs of name and content; a name
// without a dot is a text field.
func form(t *testing.T, pairs ...string) (body kit.Raw, contentType []string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		var err error
		if !strings.Contains(pairs[i], ".") {
			err = w.WriteField(pairs[i], pairs[i+1])
		} else {
			var part io.Writer
			if part, err = w.CreateFormFile("files", pairs[i]); err == nil {
				_, err = io.WriteString(part, pairs[i+1])
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), []string{"Content-Type", w.FormDataContentType()}
}

const personasUpload = "/v1/personas/upload"

func (c tenant) uploadPersonas(t *testing.T, want int, pairs ...string) *kit.Answer {
	t.Helper()
	body, contentType := form(t, pairs...)
	return c.Do(t, want, http.MethodPost, personasUpload, body, contentType...)
}

func TestPersonaUpload(t *testing.T) {
	c := onShared(t)
	c.Create(t, "/v1/personas", object{"name": "Ada Example", "birthdate": "1985-12-10", "notes": "old"})
	table := "\xef\xbb\xbfName;Birth Date;notes;city\nAda  Example;1985-12-10;new;London\n\"Bob\";1990-01-01;\"two\nlines\";\n"
	list := `[{"name":"Bob","birthdate":"1990-01-01","notes":"again"},{"name":"Eve","birthdate":"1970-07-07","data":{"n":1}}]`
	up := c.uploadPersonas(t, http.StatusOK, "people.csv", table, "more.json", list)
	up.Want("status", "pending", "total", 4, "conflict_personas", 2)
	path := personasUpload + "/" + up.Str("upload_token") + "/confirm"

	c.Do(t, http.StatusBadRequest, http.MethodPost, path, object{"conflict_resolution": "merge"}).Want("details.0.field", "conflict_resolution")
	c.Do(t, http.StatusBadRequest, http.MethodPost, path, object{}).Want("details.0.field", "conflict_resolution")
	onShared(t).Do(t, http.StatusNotFound, http.MethodPost, path, object{"conflict_resolution": "skip"})
	c.Get(t, "/v1/personas", up.After()...).Want("count", 1)

	done := c.Post(t, path, object{"conflict_resolution": "overwrite"}, "Idempotency-Key", "confirm-1")
	done.Want("status", "completed", "total_uploaded", 4, "conflicts_resolved", 2)
	c.Get(t, "/v1/personas?name=Ada+Example", done.After()...).Want("count", 1, "data.0.notes", "new", "data.0.data.city", "London")
	c.Get(t, "/v1/personas?name=Bob", done.After()...).Want("count", 1, "data.0.notes", "again")
	c.Get(t, "/v1/personas", done.After()...).Want("count", 3)

	// The token is used up; only the same request gets the same answer again.
	c.Post(t, path, object{"conflict_resolution": "overwrite"}, "Idempotency-Key", "confirm-1").Want("status", "completed", "total_uploaded", 4)
	c.Do(t, http.StatusConflict, http.MethodPost, path, object{"conflict_resolution": "create"})

	again := c.uploadPersonas(t, http.StatusOK, "people.jsonl", `{"name":"Eve","birthdate":"1970-07-07"}`).Want("conflict_personas", 1)
	c.Post(t, personasUpload+"/"+again.Str("upload_token")+"/confirm", object{"conflict_resolution": "skip"}).
		Want("total_uploaded", 0, "conflicts_resolved", 1)
}

func TestPersonaUploadNamesEveryFault(t *testing.T) {
	c := onShared(t)
	a := c.uploadPersonas(t, http.StatusBadRequest, "people.csv", "name,birthdate\n,1990-01-01\nBob,tomorrow\nEve,1990-01-01,more\n", "x.jsonl", "{broken\n")
	for _, field := range []string{"people.csv:2.name", "people.csv:3.birthdate", "people.csv:4", "x.jsonl:1"} {
		if !strings.Contains(string(a.Body), `"`+field+`"`) {
			t.Errorf("%s is not named: %s", field, a.Body)
		}
	}
	c.uploadPersonas(t, http.StatusBadRequest).Want("details.0.field", "files")
	c.uploadPersonas(t, http.StatusBadRequest, "empty.csv", "name,birthdate\n").Want("details.0.field", "files")
	c.uploadPersonas(t, http.StatusUnsupportedMediaType, "x.exe", "MZ\x00\x01")
	c.Get(t, "/v1/personas").Want("count", 0)
}

func TestPersonasAreReadFromDocumentsByAModel(t *testing.T) {
	c := onShared(t)
	model := c.provide(t, "reader")
	printed, err := os.ReadFile("../../internal/documents/testdata/printed.pdf")
	if err != nil {
		t.Fatal(err)
	}
	model.Next(gatewaytest.Answer(`{"personas":[{"name":"Ada"}]}`), gatewaytest.Answer("```json\n{\"personas\":[{\"name\":\"Ada\",\"birthdate\":\"1985-12-10\",\"notes\":\"Travels by train\"}]}\n```"))
	c.uploadPersonas(t, http.StatusOK, "model", "reader/m", "handbook.pdf", string(printed)).Want("total", 1, "conflict_personas", 0)
	asked := model.Requests()
	if len(asked) != 2 || !strings.Contains(string(asked[0].Body), "Travel handbook") || !strings.Contains(string(asked[1].Body), "personas[0].birthdate is required") {
		t.Errorf("the model was asked %d times", len(asked))
	}
}

func TestPersonaCompletion(t *testing.T) {
	c := onShared(t)
	model := c.provide(t, "keeper")
	body := object{"model": "keeper/m", "prompt": "She moved to Leeds.", "history": []object{{"role": "user", "content": "Ada called."}},
		"current_persona": object{"name": "Ada Example", "birthdate": "1985-12-10", "data": object{"city": "London", "n": 1}}}
	model.Next(gatewaytest.Answer(`{"notes":"Moved","data":{"city":"Leeds"}}`))
	c.Post(t, "/v1/personas/completions", body).
		Want("patch.notes", "Moved", "patch.data.city", "Leeds", "persona.name", "Ada Example", "persona.data.city", "Leeds", "persona.data.n", 1)

	model.Next(gatewaytest.Answer(`I think {"birthdate":"soon"}`), gatewaytest.Answer(`{"birthdate":"1985-12-11"}`))
	c.Post(t, "/api/v1/personas/completions", body).Want("data.persona.birthdate", "1985-12-11")

	model.Next(gatewaytest.Answer("no"), gatewaytest.Answer(`{"age":7}`))
	c.Do(t, http.StatusServiceUnavailable, http.MethodPost, "/v1/personas/completions", body).Want("code", "AI_SERVICE_ERROR", "details.0.field", "age")
	c.Do(t, http.StatusBadRequest, http.MethodPost, "/v1/personas/completions", object{}).Want("details.0.field", "prompt")
	c.Do(t, http.StatusBadRequest, http.MethodPost, "/v1/personas/completions", object{"prompt": "x", "current_persona": object{"birthdate": "x"}}).
		Want("details.0.field", "current_persona.birthdate")
}
