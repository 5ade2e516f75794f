package kit

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A read that is behind is asked again, with what it asks, until it is not.
func TestPatient(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked < 3 {
			w.Header().Set("Strata-Lag", "1")
		}
		w.Header().Set("Content-Type", "application/json")
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	c := (&Server{URL: s.URL}).Client()
	a := c.Post(t, "/search", Raw(`{"query": "zebra"}`))
	if asked != 3 || a.Header.Get("Strata-Lag") != "" {
		t.Errorf("asked %d times, answered %+v", asked, a.Header)
	}
	a.Want("query", "zebra")

	// A position that will never be is asked for once.
	asked = 0
	c.Post(t, "/search"+Query("min_position", "18446744073709551615"), Raw(`{}`))
	c.Post(t, "/search", Raw(`{}`), "Strata-Min-Position", "99999999999")
	if asked != 2 {
		t.Errorf("two were asked %d times", asked)
	}
}
