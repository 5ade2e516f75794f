package kit

import (
	"cmp"
	"net/http"
	"strconv"
	"time"
)

const (
	// readPatience is how long a read is asked again, before an answer that is behind is
	// taken after all.
	readPatience = 30 * time.Second
	// farthest is a position that no test's log reaches: who asks for a later one wants to
	// see what is said of positions that will never be.
	farthest = 1_000_000_000
)

// Patient asks again while an answer says by Strata-Lag that it does not show what its
// caller has written. The server waits for that itself, but a second or two at most, and
// on a busy machine a read model can be later: a test would find that what it has just
// made is missing. Only what can be sent again is asked again, through next.
func Patient(next http.RoundTripper) http.RoundTripper { return patient{next} }

type patient struct{ next http.RoundTripper }

// CloseIdleConnections is what an http.Client's method of this name calls.
func (p patient) CloseIdleConnections() {
	if c, ok := p.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	asked := cmp.Or(req.Header.Get("Strata-Min-Position"), req.URL.Query().Get("min_position"), "0")
	if position, err := strconv.ParseUint(asked, 10, 64); err != nil || position > farthest {
		return p.next.RoundTrip(req)
	}
	for began := time.Now(); ; {
		res, err := p.next.RoundTrip(req)
		if err != nil || res.Header.Get("Strata-Lag") == "" || time.Since(began) > readPatience {
			return res, err
		}
		again := req.Clone(req.Context())
		if req.Body != nil && req.Body != http.NoBody {
			if req.GetBody == nil {
				return res, nil
			}
			if again.Body, err = req.GetBody(); err != nil {
				return res, nil //nolint:nilerr // the answer there is counts
			}
		}
		closeBody(res)
		req = again
	}
}
