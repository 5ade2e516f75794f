package mcpcall_test

import (
	"encoding/json"
	"testing"
	"time"

	"strata/domain/domaintest"
	"strata/domain/mcpcall"
)

func TestStreamOf(t *testing.T) {
	at := time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600)) // still February in UTC
	if got := mcpcall.StreamOf("ws_1", at); got != "mcp_call-ws_1_20260228" {
		t.Errorf("stream %s", got)
	}
}

func TestSubject(t *testing.T) {
	for want, m := range map[string]mcpcall.Made{"ann": {User: "ann", APIKey: "key_1"}, "key_1": {APIKey: "key_1"}, "ws_1": {}} {
		if got := m.Subject("ws_1"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, mcpcall.FactTypes(),
		mcpcall.Made{ID: "mcpc_1", ServerID: "mcp_1", Server: "search", Method: "tools/call", Target: "find", User: "ann", APIKey: "key_1",
			Agent: "agt_1", Run: "arun_1", ErrorCode: "TIMEOUT", ToolFailed: true, StartedAt: domaintest.Now, LatencyUS: 1234},
		mcpcall.PayloadRecorded{ID: "mcpc_1", Subject: "ann", Params: json.RawMessage(`{"name":"find"}`), Result: json.RawMessage(`{"content":[]}`), Error: "it went away"})
}
