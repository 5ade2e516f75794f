package httpx_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"testing"
	"time"

	"strata/internal/httpx"
	"strata/internal/httpx/httpxtest"
)

type node struct {
	ID       string         `json:"id" required:"true"`
	Position *point         `json:"position" nullable:"true" doc:"Where it is drawn"`
	Config   map[string]any `json:"config"`
	Inner    []node         `json:"inner_nodes"`
}

type point struct {
	X float64 `json:"x" minimum:"0"`
	Y float64 `json:"y"`
}

type flow struct {
	ID        string    `json:"id" access:"r" example:"wf_1"`
	Name      string    `json:"name" required:"true" minLength:"1" maxLength:"100" example:"My flow"`
	Slug      string    `json:"slug,omitempty" access:"c" pattern:"^[a-z]+$" example:"flow"`
	Token     string    `json:"web_token,omitempty" access:"w"`
	Kind      string    `json:"flow_kind" enum:"a,b" default:"b"`
	Tags      []string  `json:"tags" maxItems:"5" example:"one,two"`
	Levels    []string  `json:"levels" enum:"low,high"`
	Nodes     []node    `json:"nodes"`
	Limit     int64     `json:"limit" minimum:"10"`
	Ratio     *float64  `json:"ratio"`
	CreatedAt time.Time `json:"created_at" access:"r"`
	Extra     any       `json:"extra"`
}

func specRouter() *httpx.Router {
	r := httpx.New(httpx.Options{BaseURL: "https://strata.example.com/"})
	type byID struct {
		ID string `path:"id" doc:"Which one"`
	}
	type merge struct {
		ID   string `path:"flow_id"`
		Body json.RawMessage
	}
	for _, m := range []*httpx.Mount{httpx.API, httpx.V1} {
		n := m.Prefix
		httpx.Register(r, httpx.Op{ID: "get" + n, Method: "GET", Path: "/flows/{id}", Mount: m, Tag: "Flows", Reads: "flows"},
			func(context.Context, *byID) (httpx.Reply[flow], error) { return httpx.Respond(flow{}) })
		httpx.Register(r, httpx.Op{ID: "put" + n, Method: "PUT", Path: "/flows/{flow_id}", Mount: m, Tag: "Flows",
			Body: reflect.TypeFor[flow](), Result: reflect.TypeFor[flow](), BodyExample: map[string]any{"flow_kind": "a", "web_token": "t"}},
			func(context.Context, *merge) (httpx.Reply[json.RawMessage], error) {
				return httpx.Respond(json.RawMessage("{}"))
			})
		httpx.Register(r, httpx.Op{ID: "post" + n, Method: "POST", Path: "/flows", Mount: m, Tag: "Flows", Status: 201},
			func(context.Context, *struct{ Body flow }) (httpx.Reply[flow], error) { return httpx.Respond(flow{}) })
		httpx.Register(r, httpx.Op{ID: "list" + n, Method: "GET", Path: "/flows", Mount: m, Paging: httpx.Pages,
			Sort: []string{"created_at"}, Search: true, Filters: []string{"flow_kind=a|b", "since:date-time"}},
			func(context.Context, *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[flow]], error) {
				return httpx.Respond(httpx.List[flow]{})
			})
		httpx.Register(r, httpx.Op{ID: "delete" + n, Method: "DELETE", Path: "/flows/{id}", Mount: m, NoBody: true},
			func(context.Context, *byID) (httpx.Reply[struct{}], error) { return httpx.Respond(struct{}{}) })
	}
	r.Raw(httpx.Op{ID: "chat", Method: "POST", Path: "/chat/completions", Mount: httpx.OpenAI, Streaming: true,
		Body: reflect.TypeFor[point](), Result: reflect.TypeFor[point]()}, http.NotFoundHandler())
	r.ServeSpec()
	return r
}

func TestTheDocumentIsValidAndItsExamplesFit(t *testing.T) {
	spec, err := specRouter().Document()
	if err != nil {
		t.Fatal(err)
	}
	if err := httpxtest.CheckSpec(spec.JSON); err != nil {
		t.Error(err)
	}
	var doc struct {
		Servers    []struct{ URL string }
		Components struct {
			Schemas map[string]struct {
				Required   []string
				Properties map[string]json.RawMessage
			}
		}
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(spec.JSON, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Servers[0].URL != "https://strata.example.com" {
		t.Errorf("servers: %+v", doc.Servers)
	}
	for name, fields := range map[string][2]string{ // a field that is there, one that is not
		"FlowCreate": {"webToken", "createdAt"}, "FlowUpdate": {"flowKind", "slug"}, "Flow": {"createdAt", "webToken"},
		"FlowV1": {"created_at", "web_token"}, "FlowCreateV1": {"flow_kind", "flowKind"},
	} {
		p := doc.Components.Schemas[name].Properties
		if p[fields[0]] == nil || p[fields[1]] != nil {
			t.Errorf("%s has the fields %v", name, p)
		}
	}
	if len(doc.Components.Schemas["FlowUpdate"].Required) > 0 || len(doc.Components.Schemas["FlowCreate"].Required) != 1 {
		t.Error("required fields are wrong")
	}
	if item := doc.Paths["/api/v1/flows/{id}"]; item["put"] == nil || item["get"] == nil {
		t.Errorf("one path with two names of its parameter: %v", doc.Paths)
	}
}

func TestCheckSpecFindsExamplesThatDoNotFit(t *testing.T) {
	r := httpx.New(httpx.Options{})
	httpx.Register(r, httpx.Op{ID: "x", Method: "GET", Path: "/x", Mount: httpx.V1, ResultExample: map[string]any{"x": -1}},
		func(context.Context, *struct{}) (httpx.Reply[point], error) { return httpx.Respond(point{}) })
	spec, err := r.Document()
	if err != nil {
		t.Fatal(err)
	}
	if httpxtest.CheckSpec(spec.JSON) == nil {
		t.Error("x = -1 is below its minimum")
	}
}

// BenchmarkDocument builds the document of as many operations as the API has.
func BenchmarkDocument(b *testing.B) {
	for b.Loop() {
		r := httpx.New(httpx.Options{})
		for i := range 300 {
			for _, m := range []*httpx.Mount{httpx.API, httpx.V1} {
				n := fmt.Sprint(m.Prefix, i)
				httpx.Register(r, httpx.Op{ID: n, Method: "POST", Path: "/flows" + fmt.Sprint(i), Mount: m},
					func(context.Context, *struct{ Body flow }) (httpx.Reply[flow], error) { return httpx.Respond(flow{}) })
			}
		}
		if _, err := r.Document(); err != nil {
			b.Fatal(err)
		}
	}
}
