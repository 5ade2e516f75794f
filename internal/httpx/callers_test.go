package httpx

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"strata/domain"
)

// registry is who may call, as a node knows it that follows others: it knows a key
// as soon as it has read up to its position.
type registry struct{ read domain.Position }

const keyMadeAt = 7

// Wait implements Waiter.
func (r *registry) Wait(_ context.Context, projection string, p domain.Position) (uint64, error) {
	if projection == "callers" {
		r.read = max(r.read, p)
	}
	return 0, nil
}

// Authenticate implements Authenticator.
func (r *registry) Authenticate(context.Context, string) (domain.Principal, error) {
	if r.read < keyMadeAt {
		return domain.Principal{}, errNoToken
	}
	return domain.Principal{Actor: "ada", Permissions: map[string]bool{"*": true}}, nil
}

// Who names a position is let in as of that position, whatever this process has read.
func TestCallersAsOfThePosition(t *testing.T) {
	for _, c := range []struct {
		query, header string
		want          int
	}{{"", "", 401}, {"", "6", 401}, {"", "7", 200}, {"?min_position=8", "", 200}, {"?minPosition=6", "", 401}, {"", "x", 401}} {
		of := &registry{}
		o := testOptions()
		o.Auth, o.Waiter, o.Callers = of, of, "callers"
		r := httptest.NewRequest(http.MethodGet, "/v1/gadgets/g"+c.query, nil)
		r.Header.Set("Authorization", "Bearer x")
		if c.header != "" {
			r.Header.Set(HeaderMinPosition, c.header)
		}
		w := httptest.NewRecorder()
		newTestRouter(o).ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("with %+v: status %d, want %d", c, w.Code, c.want)
		}
	}
}
