package httpx_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"strata/domain"
	"strata/internal/httpx"
)

// Ring is a resource: its tags say what may be sent, what is shown, and how
// the document describes it.
type Ring struct {
	ID       string `json:"id" access:"r"`
	RingName string `json:"ring_name" required:"true" maxLength:"80" example:"canary"`
	Weight   int    `json:"weight" minimum:"0" maximum:"100" default:"10"`
}

type createRing struct {
	Body Ring
}

type anyone struct{}

func (anyone) Authenticate(context.Context, string) (domain.Principal, error) {
	return domain.Principal{Actor: "key_1", Permissions: map[string]bool{"rings:create": true}}, nil
}

func ExampleRegister() {
	r := httpx.New(httpx.Options{Auth: anyone{}, Now: func() time.Time { return time.Unix(0, 0) }})
	httpx.Register(r, httpx.Op{
		ID: "createRing", Method: "POST", Path: "/rings", Mount: httpx.API, Status: 201, Permission: "rings:create",
		Tag: "Rings", Summary: "Create a ring",
	}, func(_ context.Context, in *createRing) (httpx.Reply[Ring], error) {
		in.Body.ID = "ring_1"
		return httpx.Reply[Ring]{Body: in.Body, Revision: httpx.RevisionOf(0), Position: 1}, nil
	})

	for _, body := range []string{`{"ringName":"canary"}`, `{"weight":200,"color":"red"}`} {
		req := httptest.NewRequest("POST", "/api/v1/rings", strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer key")
		req.Header.Set("X-Request-Id", "req_1")
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		fmt.Println(rec.Code, rec.Body)
	}
	// Output:
	// 201 {"success":true,"data":{"id":"ring_1","ringName":"canary","weight":10},"meta":{"timestamp":"1970-01-01T00:00:00Z","version":"1.0","requestId":"req_1"}}
	// 400 {"success":false,"error":{"code":"VALIDATION_ERROR","message":"invalid input data","details":[{"field":"weight","message":"expected number <= 100"},{"field":"color","message":"is not a known field"},{"field":"ringName","message":"is required"}]},"meta":{"timestamp":"1970-01-01T00:00:00Z","version":"1.0","requestId":"req_1"}}
}
