package httpx

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"strata/domain"
)

// What concerns the installation is refused to callers who hold the permission
// and do not run it.
func TestInstallationOperations(t *testing.T) {
	for _, c := range []struct {
		name string
		runs func(*domain.Principal) bool
		key  string
		want int
	}{
		{"nobody runs it", nil, "admin", http.StatusForbidden},
		{"somebody else runs it", func(p *domain.Principal) bool { return p.KeyID == "key_0" }, "admin", http.StatusForbidden},
		{"the caller runs it", func(p *domain.Principal) bool { return p.KeyID == "key_1" }, "admin", http.StatusOK},
		{"without the permission", func(*domain.Principal) bool { return true }, "reader", http.StatusForbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := testOptions()
			o.Runs = c.runs
			r := New(o)
			Register(r, Op{ID: "inspect", Method: "GET", Path: "/inspect", Mount: V1, Permission: "engines:inspect", Installation: true},
				func(context.Context, *struct{}) (Reply[struct{}], error) { return Reply[struct{}]{}, nil })
			r.Freeze()
			req := httptest.NewRequest(http.MethodGet, "/v1/inspect", nil)
			req.Header.Set("Authorization", "Bearer "+c.key)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != c.want {
				t.Errorf("answered %d, want %d", w.Code, c.want)
			}
		})
	}
}
