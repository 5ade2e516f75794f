package httpx

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
)

func TestCallersReadTheirOwnWritesUnasked(t *testing.T) {
	r := newTestRouter(testOptions()) // its projection stands at 10, a gadget is created at 42
	lag := func(headers ...string) string {
		t.Helper()
		rec := call(t, r, "GET", "/v1/gadgets/g", "", headers...)
		if rec.Code != 200 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		return rec.Header().Get(HeaderLag)
	}
	if got := lag(); got != "" {
		t.Errorf("before any write: Strata-Lag %q", got)
	}
	if rec := call(t, r, "POST", "/v1/gadgets", `{"display_name":"xy"}`); rec.Code != 201 {
		t.Fatalf("%d %s", rec.Code, rec.Body)
	}
	if got := lag(); got != "32" {
		t.Errorf("after its write: Strata-Lag %q, want 32", got)
	}
	if got := lag("Strata-Min-Position: 0"); got != "" {
		t.Errorf("asked for any state: Strata-Lag %q", got)
	}
	if got := lag("Strata-Min-Position: 15"); got != "5" {
		t.Errorf("asked for another position: Strata-Lag %q, want 5", got)
	}
	if got := lag("Authorization: bearer reader"); got != "" {
		t.Errorf("another caller: Strata-Lag %q", got)
	}
}

func TestRecentNeverForgetsAWrite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, last := newRecent(), map[string]domain.Position{}
		for range rapid.IntRange(1, 200).Draw(t, "writes") {
			caller := strconv.Itoa(rapid.IntRange(0, 50).Draw(t, "caller"))
			p := domain.Position(rapid.IntRange(1, 1000).Draw(t, "position"))
			r.wrote(caller, p)
			last[caller] = max(last[caller], p)
		}
		for caller, p := range last {
			if got := r.last(caller); got < p {
				t.Fatalf("%s wrote at %d, remembered is %d", caller, p, got)
			}
		}
	})
}
