package inference_test

import (
	"encoding/json"
	"testing"
	"time"

	"strata/domain/domaintest"
	"strata/domain/inference"
)

func TestStreamOf(t *testing.T) {
	at := time.Date(2026, 3, 1, 1, 0, 0, 0, time.FixedZone("", 2*3600)) // still February in UTC
	if got := inference.StreamOf("ws_1", at); got != "inference-ws_1_20260228" {
		t.Errorf("stream %s", got)
	}
}

func TestGolden(t *testing.T) {
	domaintest.Golden(t, inference.FactTypes(),
		inference.Recorded{
			ID: "inf_1", StartedAt: domaintest.Now, Organization: domaintest.Organization, Workspace: domaintest.Workspace, User: "ann",
			APIKey: "key_1", App: "app_1", Agent: "agent-1", Session: "ses_1", Conversation: "chat_1", Type: "chat",
			RequestedModel: "flotorch/smart", Model: "open/large", Provider: "open", Route: "smart", Stream: true, Status: inference.Failed,
			HTTPStatus: 503, ErrorCode: "AI_SERVICE_ERROR", Cancelled: true, FinishReason: "length",
			InputTokens: 10, OutputTokens: 20, CachedTokens: 3, UsageEstimated: true, Cost: 1234, LatencyUS: 5678, FirstTokenUS: 910,
			Attempts: 2, CorrelationID: "cor_1", RequestID: "req_1",
			Reservations: []inference.Reservation{{BudgetID: "bud_1", ID: "res_1"}},
			Details:      inference.Details{Tags: []string{"a"}, Metadata: map[string]string{"k": "v"}, Error: "it went away"},
		},
		inference.PayloadRecorded{ID: "inf_1", Subject: "ann", Request: json.RawMessage(`{"messages":[]}`), Response: json.RawMessage(`{"id":"x"}`)})
}
