//go:build e2e

package conformance

import (
	"bytes"
	"mime/multipart"
	"net/http"

	"strata/test/kit"
)

const insightAnswer = `{"thinking":"They read mail in the evening.","argument":"Save ten percent.","argument_content":"Save ten percent.",` +
	`"argument_thinking":"Price matters.","insight":"Price sensitive","best_channel":"email","best_time":"evening","timeliness":"now","type":"offer"}`

var (
	chats = maker{"/v1/chats/completions", func(w *world) object {
		return object{"model": w.says("Good day."), "name": w.name("Talk"), "messages": []object{{"role": "user", "content": "Hello?"}},
			"user": "ann", "tags": []string{"first"}, "metadata": object{"order": "1"}, "temperature": 0.5, "top_p": 1, "max_tokens": 50}
	}}
	arguments = maker{"/v1/arguments/completions", func(w *world) object {
		return object{"action_id": actions.one(w), "model": w.says(insightAnswer), "client": object{"name": "Ada", "age": 36},
			"product":      object{"name": "Basic tariff", "description": "Ten a month."},
			"insight_spec": object{"goal": "retention"}, "max_tokens": 200, "temperature": 0.2, "top_p": 1}
	}}
)

// talks probes chats, arguments, insights and what models say of personas.
func talks(into map[string]probe) {
	into["GET /v1/chats"] = probe{list: &listing{
		fill: func(w *world) []string {
			w.memo["name"] = w.name("Findable")
			body := chats.body(w)
			body["name"] = w.memo["name"]
			first := w.must(http.MethodPost, chats.path, body, "id")
			return []string{first, chats.one(w), chats.one(w)}
		},
		filters: map[string]filter{"name": {hit: func(w *world) string { return w.memo["name"] }, miss: "no such name"}},
	}}
	into["POST /v1/chats/completions"] = probe{body: func(w *world) object {
		body := chats.body(w)
		body["guard_enabled"], body["router_enabled"], body["expert_ids"] = true, true, []string{experts.one(w)}
		return body
	}}
	into["GET /v1/chats/{id}"] = probe{path: chats.id}
	into["GET /v1/chats/{id}/window"] = probe{path: chats.id}
	into["PUT /v1/chats/{id}"] = probe{path: chats.id, body: func(w *world) object {
		return object{"name": w.name("Renamed"), "model": w.model(), "temperature": 0.1, "max_tokens": 10, "guard_enabled": true, "router_enabled": false}
	}}
	into["DELETE /v1/chats/{id}"] = probe{path: chats.id}

	into["GET /v1/arguments"] = probe{list: &listing{fill: func(w *world) []string {
		body := arguments.body(w)
		w.memo["action"] = body["action_id"].(string)
		first := w.must(http.MethodPost, arguments.path, body, "id")
		return []string{first, arguments.one(w), arguments.one(w)}
	}, filters: map[string]filter{
		"action_id": {hit: func(w *world) string { return w.memo["action"] }, miss: "act_nobody"},
		"status":    {hit: literal("pending"), miss: "reviewing"},
	}}}
	into["POST /v1/arguments/completions"] = probe{body: arguments.body, absent: map[string]string{"error": "it did not fail"}}
	into["GET /v1/arguments/{id}"] = probe{path: arguments.id, absent: map[string]string{"deleted_at": "it lives"}}
	into["PUT /v1/arguments/{id}"] = probe{path: arguments.id, absent: map[string]string{"deleted_at": "it lives"}, body: func(*world) object {
		return object{"argument": "Save eleven percent.", "review": object{"status": "waiting_review"}}
	}}
	into["DELETE /v1/arguments/{id}"] = probe{path: arguments.id}
	into["POST /v1/insights"] = probe{absent: map[string]string{"error": "it did not fail"}, status: http.StatusCreated, body: func(w *world) object {
		return object{"model": w.says(insightAnswer), "actions": []string{actions.one(w)}, "client": "Ada, 36, reads mail", "temperature": 0.1, "top_p": 1, "max_tokens": 300}
	}}

	into["POST /v1/personas/completions"] = probe{body: func(w *world) object {
		w.says(`{"name":"Ada","birthdate":"1990-12-10","notes":"Moved to Paris.","data":{"city":"Paris"}}`)
		return object{"prompt": "She moved to Paris.", "model": "scripted/m", "current_persona": object{"name": "Ada", "birthdate": "1990-12-10", "notes": "x", "data": object{"city": "London"}}}
	}}
	into["POST /v1/personas/upload"] = probe{body: func(*world) object { return object{"files": "name,birthdate,notes\nAda,1990-12-10,Reads\n"} }, send: upload}
	into["POST /v1/personas/upload/{upload_token}/confirm"] = probe{
		path: func(w *world) map[string]string {
			a := upload(w, "/v1/personas/upload", object{"files": "name,birthdate,notes\n" + w.name("Ada") + ",1990-12-10,Reads\n"})
			token, _ := a.Lookup("upload_token")
			if token == nil {
				w.t.Fatalf("no token: %s", a.Short())
			}
			return map[string]string{"upload_token": token.(string)}
		},
		body: func(*world) object { return object{"conflict_resolution": "overwrite"} },
	}
}

// upload sends files as a form.
func upload(w *world, path string, body object) *kit.Answer {
	w.t.Helper()
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	if text, ok := body["files"].(string); ok {
		part, err := m.CreateFormFile("files", "personas.csv")
		if err == nil {
			_, err = part.Write([]byte(text))
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		w.t.Fatal(err)
	}
	return w.send(http.MethodPost, path, kit.Raw(form.Bytes()), "Content-Type", m.FormDataContentType())
}
