package mem0

import "testing"

// FuzzRecords reads whatever a server answers: it is refused or it is memories whose
// scores are from 0 to 1.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{`[]`, `[{"id":"1","memory":"x","score":7,"metadata":{"strata_type":3}}]`, `{"results":[{"id":"1","created_at":"2024-07-26T10:29:36.630547"}],"next":"x"}`,
		`{"memories":[{"metadata":null}]}`, `{"event_id":"e"}`, ` [null]`, `{"results":{}}`, ``, `null`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		all, _, err := records(body)
		if err != nil {
			return
		}
		for _, r := range all {
			if m := r.found("p"); m.Score < 0 || m.Score > 1 {
				t.Errorf("score %v", m.Score)
			}
		}
		_ = saidIn(body)
	})
}
