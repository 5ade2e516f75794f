package memorycall_test

import (
	"encoding/json"
	"testing"
	"time"

	"strata/domain/domaintest"
	"strata/domain/memorycall"
)

func TestStreamOf(t *testing.T) {
	at := time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600)) // still February in UTC
	if got := memorycall.StreamOf("ws_1", at); got != "memory_call-ws_1_20260228" {
		t.Errorf("stream %s", got)
	}
}

func TestSubject(t *testing.T) {
	if got := memorycall.Subject("bob", "ann", "key_1", "ws_1"); got != "bob" {
		t.Errorf("about bob is %s's", got)
	}
	if got := memorycall.Subject("", "", "", "ws_1"); got != "ws_1" {
		t.Errorf("nobody's is %s's", got)
	}
}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, memorycall.FactTypes(),
		memorycall.Made{ID: "memc_1", ProviderID: "memp_1", Provider: "mem0", Operation: memorycall.Add, MemoryID: "m-1", User: "ann", APIKey: "key_1",
			Agent: "agt_1", Run: "arun_1", ErrorCode: "TIMEOUT", StartedAt: domaintest.Now, LatencyUS: 1234},
		memorycall.PayloadRecorded{ID: "memc_1", Subject: "bob", Sent: json.RawMessage(`{"content":"tea"}`), Error: "it went away"})
}
