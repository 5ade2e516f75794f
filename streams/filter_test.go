package streams_test

import (
	"testing"

	"strata/domain"
	"strata/streams"
)

func TestFilterMatches(t *testing.T) {
	event := func(stream domain.StreamID, typ, workspace string) *streams.Recorded {
		return &streams.Recorded{Stream: stream, Proposed: streams.Proposed{Type: typ, Workspace: workspace}}
	}
	made := event("session-1", "session.made.v1", "ws_1")
	deleted := event("$$session-1", streams.TypeTombstone, "")
	for _, test := range []struct {
		name   string
		filter *streams.Filter
		event  *streams.Recorded
		want   bool
	}{
		{"nil selects events", nil, made, true},
		{"nil hides system events", nil, deleted, false},
		{"empty selects events", &streams.Filter{}, made, true},
		{"empty hides system events", &streams.Filter{}, deleted, false},
		{"system event by type", &streams.Filter{Types: []string{streams.TypeTombstone}}, deleted, true},
		{"system event by prefix", &streams.Filter{TypePrefixes: []string{"$"}}, deleted, true},
		{"system event by category", &streams.Filter{Categories: []string{"$$session"}}, deleted, true},
		{"category", &streams.Filter{Categories: []string{"other", "session"}}, made, true},
		{"other category", &streams.Filter{Categories: []string{"sess"}}, made, false},
		{"type", &streams.Filter{Types: []string{"session.made.v1"}}, made, true},
		{"other type", &streams.Filter{Types: []string{"session.made"}}, made, false},
		{"prefix", &streams.Filter{TypePrefixes: []string{"session."}}, made, true},
		{"type or prefix", &streams.Filter{Types: []string{"x"}, TypePrefixes: []string{"session."}}, made, true},
		{"workspace", &streams.Filter{Workspace: "ws_1"}, made, true},
		{"other workspace", &streams.Filter{Workspace: "ws_2", Types: []string{"session.made.v1"}}, made, false},
		{"category but not type", &streams.Filter{Categories: []string{"session"}, Types: []string{"x"}}, made, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.filter.Matches(test.event); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}
