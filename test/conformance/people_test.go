//go:build e2e

package conformance

import (
	"net/http"

	"strata/test/kit"
)

// spacesOf is the collection of spaces.
var spacesOf = maker{"/v1/spaces", func(w *world) object {
	return object{"name": w.name("Space"), "description": "For a test."}
}}

const sameOrganization = "spaces are those of the caller's organization, which all keys of the test belong to"

// people probes spaces, users, the list of models and the inference log.
func people(into map[string]probe) {
	crud(into, spacesOf, object{"description": "For another test."}, http.StatusOK)
	for name, p := range into {
		if p.path != nil && (name == "GET /v1/spaces/{id}" || name == "PUT /v1/spaces/{id}" || name == "DELETE /v1/spaces/{id}") {
			p.visible = sameOrganization
			into[name] = p
		}
	}
	into["GET /v1/spaces"] = probe{list: &listing{fill: spacesOf.three, shared: true}}
	into["POST /v1/spaces/{id}/restore"] = probe{visible: sameOrganization, path: func(w *world) map[string]string {
		id := spacesOf.one(w)
		w.must(http.MethodDelete, "/v1/spaces/"+id, nil, "id")
		return map[string]string{"id": id}
	}}
	into["POST /v1/spaces/{id}/invite"] = probe{path: spacesOf.id, visible: sameOrganization, body: func(w *world) object {
		return object{"emails": []string{"bob@example.com"}, "roles": []string{"trainings:list", "benchmarks:get"}}
	}}
	into["GET /v1/users/me"] = probe{}
	into["PUT /v1/users/me"] = probe{body: func(*world) object {
		return object{"first_name": "Ada", "last_name": "Lovelace", "role": "designer"}
	}}
	into["POST /v1/users/me/permissions"] = probe{body: func(*world) object {
		return object{"permissions": []string{"trainings:list"}}
	}}
	into["POST /v1/users/me/accept-invite"] = probe{body: func(w *world) object {
		space := spacesOf.one(w)
		me := w.send(http.MethodGet, "/v1/users/me", nil).Str("email")
		token := w.must(http.MethodPost, "/v1/spaces/"+space+"/invite", object{"emails": []string{me}, "roles": []string{"trainings:list"}}, "invitations.0.token")
		return object{"token": token}
	}}
	into["GET /v1/models"] = probe{settle: func(w *world, _ string) { w.model() }}
	inferenceLogs(into)
}

func inferenceLogs(into map[string]probe) {
	call := func(w *world, user, tag string) {
		w.must(http.MethodPost, "/v1/chats/completions", object{"model": w.model(), "user": user, "tags": []string{tag}, "type": "support",
			"messages": []object{{"role": "user", "content": "Hello?"}}}, "id")
	}
	into["GET /v1/inference-logs"] = probe{list: &listing{
		fill: func(w *world) []string {
			// The first in the list is the newest.
			for _, who := range []string{"carl", "bob"} {
				call(w, who, "other")
			}
			w.Header = http.Header{"X-Correlation-Id": {"order-1"}}
			call(w, "ann", "first")
			w.Header = nil
			return w.logged(3)
		},
		filters: timeFilters(map[string]filter{
			"user": {hit: literal("ann"), miss: "nobody"}, "model": {hit: literal("scripted/m"), miss: "scripted/other"},
			"status": {hit: literal("success"), miss: "error"}, "type": {hit: literal("support"), miss: "no-such-type"},
			"tag": {hit: literal("first"), miss: "no-such-tag"}, "correlation_id": {hit: literal("order-1"), miss: "order-2"},
		}),
	}}
	into["GET /v1/inference-logs/summary"] = probe{
		query:  kit.Query("user", "ann", "model", "scripted/m"),
		settle: func(w *world, _ string) { call(w, "ann", "first"); w.logged(1) },
	}
}
