package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"strata/projections/history"
	"strata/projections/history/historytest"
)

// life gathers what writes answered, to be compared with the past later.
type life struct {
	t     *testing.T
	s     *installation
	path  string         // of the resource
	grown string         // field that lists what happened lately
	then  map[int]string // view by revision, as the write answered it
}

func newLife(t *testing.T, s *installation, path string) *life {
	return &life{t: t, s: s, path: path, then: map[int]string{}}
}

// answered keeps the answer to a write.
func (l *life) answered(r reply) reply {
	l.t.Helper()
	var revision int
	if _, err := fmt.Sscanf(r.Header.Get("ETag"), `"%d"`, &revision); err != nil {
		l.t.Fatalf("a write answered without a revision: %v", r.Header)
	}
	l.then[revision] = string(r.Data)
	return r
}

// entry is a line of a history.
type entry struct {
	Revision   int
	Type       string
	RecordedAt time.Time
	Changes    []history.Change
}

// look gets something of the resource's past: the view, or what is in data.
func (l *life) look(path string, query ...string) (status int, data json.RawMessage, next string, faulty []string) {
	l.t.Helper()
	values := url.Values{}
	for i := 0; i < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	req, err := http.NewRequest("GET", l.s.URL+path+"?"+values.Encode(), nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	res, err := l.s.Client().Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	var body struct {
		Data       json.RawMessage
		Count      *int
		HasMore    bool `json:"has_more"`
		Pagination struct {
			HasMore    bool
			NextCursor string
		}
		Details []struct{ Field string }
		Error   json.RawMessage
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		l.t.Fatalf("%s: %v in %s", path, err, raw)
	}
	if strings.HasPrefix(path, "/api/") && len(body.Error) > 0 {
		if err := json.Unmarshal(body.Error, &body); err != nil {
			l.t.Fatal(err)
		}
	}
	for _, d := range body.Details {
		faulty = append(faulty, d.Field)
	}
	if strings.HasPrefix(path, "/v1/") && body.Count == nil {
		body.Data = raw
	}
	next = body.Pagination.NextCursor
	if body.HasMore {
		next = "more"
	}
	return res.StatusCode, body.Data, next, faulty
}

// at is the view at a point; "{}" when the resource was not there.
func (l *life) at(point string) string {
	l.t.Helper()
	status, data, _, _ := l.look(l.path, "at", point)
	switch status {
	case http.StatusOK:
		return string(data)
	case http.StatusNotFound:
		return "{}"
	}
	l.t.Fatalf("?at=%s: status %d", point, status)
	return ""
}

// history reads the whole history in pages.
func (l *life) history(order string) []entry {
	l.t.Helper()
	var out []entry
	paging := []string{}
	for {
		status, data, next, _ := l.look(l.path+"/history", append([]string{"limit", "2", "order", order}, paging...)...)
		var page []entry
		if err := json.Unmarshal(bytes.ReplaceAll(data, []byte("recorded_at"), []byte("recordedAt")), &page); err != nil || status != http.StatusOK {
			l.t.Fatalf("history: %d, %v in %s", status, err, data)
		}
		out = append(out, page...)
		if next == "" || len(page) == 0 {
			return out
		}
		if paging = []string{"cursor", next}; next == "more" {
			paging = []string{"after", fmt.Sprint(page[len(page)-1].Revision)}
		}
	}
}

func (l *life) diff(query ...string) (from *entry, changes []history.Change) {
	l.t.Helper()
	status, data, _, _ := l.look(l.path+"/diff", query...)
	var d struct {
		From, To *entry
		Changes  []history.Change
	}
	if err := json.Unmarshal(data, &d); err != nil || status != http.StatusOK || d.To == nil {
		l.t.Fatalf("diff %v: %d, %v in %s", query, status, err, data)
	}
	return d.From, d.Changes
}

// without leaves a field out of a view.
func without(t *testing.T, view, field string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(view), &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, field)
	out, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// check compares the past with what was answered then: every view, every
// revision in the history, every difference. deleted tells that the last
// revision ended the resource.
func (l *life) check(deleted bool) {
	t := l.t
	t.Helper()
	entries := l.history("asc")
	back := l.history("desc")
	slices.Reverse(back)
	if len(back) != len(entries) || len(entries) == 0 {
		t.Fatalf("%d entries one way, %d the other", len(entries), len(back))
	}
	views := make([]string, len(entries))
	for i, e := range entries {
		if e.Revision != i || back[i].Revision != i || e.Type == "" || e.RecordedAt.IsZero() {
			t.Fatalf("entry %d of the history is %+v and %+v", i, e, back[i])
		}
		views[i] = l.at(fmt.Sprint(i))
		if answered, ok := l.then[i]; ok && !historytest.Same([]byte(without(t, views[i], l.grown)), []byte(without(t, answered, l.grown))) {
			t.Errorf("at revision %d it is\n%s, and the write answered\n%s", i, views[i], answered)
		}
		later := i // several events may be recorded at once
		for later+1 < len(entries) && !entries[later+1].RecordedAt.After(e.RecordedAt) {
			later++
		}
		if byTime := l.at(e.RecordedAt.Format(time.RFC3339Nano)); later == i && byTime != views[i] {
			t.Errorf("at the time of revision %d it is %s, not %s", i, byTime, views[i])
		}
	}
	last := len(entries) - 1
	if gone := views[last] == "{}"; gone != deleted {
		t.Errorf("at its last revision it is %s", views[last])
	}
	l.checkDifferences(entries, views)
	l.checkRefusals(entries)
}

func (l *life) checkDifferences(entries []entry, views []string) {
	t := l.t
	t.Helper()
	leads := func(what, from, to string, changes []history.Change) {
		t.Helper()
		from, to = without(t, from, l.grown), without(t, to, l.grown)
		got, err := historytest.Apply([]byte(from), changes)
		if err != nil || !historytest.Same(got, []byte(to)) {
			t.Errorf("%s: %v leads from\n%s to\n%s, not\n%s: %v", what, changes, from, got, to, err)
		}
	}
	for i, e := range entries {
		before := "{}"
		if i > 0 {
			before = views[i-1]
		}
		plain := slices.DeleteFunc(slices.Clone(e.Changes), func(c history.Change) bool {
			return strings.HasSuffix(c.Path, "/-") || bytes.Contains(c.Before, []byte("****")) || bytes.Contains(c.After, []byte("****"))
		})
		leads(fmt.Sprintf("entry %d", i), before, views[i], plain)
		for j := range entries {
			_, changes := l.diff("from", fmt.Sprint(j), "to", fmt.Sprint(i))
			leads(fmt.Sprintf("%d to %d", j, i), views[j], views[i], changes)
		}
		from, changes := l.diff("to", fmt.Sprint(i))
		leads(fmt.Sprintf("up to %d", i), before, views[i], changes)
		if (from == nil) != (i == 0) {
			t.Errorf("the revision before %d is %v", i, from)
		}
	}
}

func (l *life) checkRefusals(entries []entry) {
	t := l.t
	t.Helper()
	future := time.Now().Add(time.Hour).Format(time.RFC3339)
	for _, at := range []string{"-1", "x", "1.5", fmt.Sprint(len(entries)), future, "2024-01-15"} {
		if status, _, _, faulty := l.look(l.path, "at", at); status != http.StatusBadRequest || !slices.Equal(faulty, []string{"at"}) {
			t.Errorf("at=%s: status %d, faults %v", at, status, faulty)
		}
		if status, _, _, faulty := l.look(l.path+"/diff", "from", at, "to", at); status != http.StatusBadRequest || len(faulty) == 0 {
			t.Errorf("diff of %s: status %d, faults %v", at, status, faulty)
		}
	}
	if status, _, _, _ := l.look(l.path, "at", entries[0].RecordedAt.Add(-time.Microsecond).Format(time.RFC3339Nano)); status != http.StatusNotFound {
		t.Errorf("before it was made: status %d", status)
	}
}
