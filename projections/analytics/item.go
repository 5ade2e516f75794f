package analytics

import (
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/domain/inference"
)

// Item is an event of the inference log on its way into the tables.
type Item struct {
	Position   domain.Position
	EventID    uuid.UUID
	RecordedAt time.Time   // when the call was recorded, UTC
	Workspace  string      // whose call it is
	Fact       domain.Fact // inference.Recorded or inference.PayloadRecorded; others only move the position on
}

// ItemOf takes from a decoded event what the tables need.
func ItemOf(e domain.Event) Item {
	return Item{Position: e.Position, EventID: e.ID, RecordedAt: e.Meta.OccurredAt, Workspace: e.Meta.Workspace, Fact: e.Fact}
}

// The range of times that ClickHouse's DateTime, the type of the rollups'
// buckets, can hold. A time outside (a zero one above all) is replaced by the
// time of recording, so that no event can block those behind it.
var (
	minTime = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(2106, 1, 1, 0, 0, 0, 0, time.UTC)
)

func sane(t, otherwise time.Time) time.Time {
	switch {
	case t.After(minTime) && t.Before(maxTime):
		return t.UTC().Truncate(time.Microsecond)
	case otherwise.After(minTime) && otherwise.Before(maxTime):
		return otherwise.UTC().Truncate(time.Microsecond)
	default:
		return minTime
	}
}

// month is a partition: toYYYYMM of its times.
type month uint32

func monthOf(t time.Time) month { return month(t.Year()*100 + int(t.Month())) } //nolint:gosec // four digits and two

// table is one that the writer fills row by row.
type table struct {
	name    string
	columns string
	types   []columnType
	values  func(Item) []any // the row of an item, in the order of types
}

type columnType struct{ name, typ string }

// rowsTable and payloadsTable list their columns in the order of rowValues and
// payloadValues. Naming the types here saves the driver a DESCRIBE per batch.
var rowsTable = newTable("inferences", rowValues, []columnType{
	{"position", "UInt64"}, {"event_id", "UUID"}, {"recorded_at", "DateTime64(6, 'UTC')"}, {"id", "String"},
	{"ts", "DateTime64(6, 'UTC')"}, {"organization_id", lowString}, {"workspace_id", lowString}, {"end_user", "String"},
	{"api_key_id", lowString}, {"app_id", lowString}, {"agent_id", lowString}, {"session_id", "String"},
	{"conversation_id", "String"}, {"type", lowString}, {"requested_model", lowString}, {"model", lowString},
	{"provider", lowString}, {"route", lowString}, {"stream", "Bool"}, {"status", lowString}, {"http_status", "UInt16"},
	{"error_code", lowString}, {"error", "String"}, {"cancelled", "Bool"}, {"finish_reason", lowString},
	{"input_tokens", "UInt64"}, {"output_tokens", "UInt64"}, {"cached_tokens", "UInt64"}, {"usage_estimated", "Bool"},
	{"cost_micro_usd", "Int64"}, {"latency_us", "UInt64"}, {"ttft_us", "UInt64"}, {"attempts", "UInt16"},
	{"tags", "Array(LowCardinality(String))"}, {"metadata", "Map(LowCardinality(String), String)"},
	{"correlation_id", "String"}, {"request_id", "String"},
	{"reservation_budgets", "Array(LowCardinality(String))"}, {"reservation_ids", "Array(String)"},
})

var payloadsTable = newTable("inference_payloads", payloadValues, []columnType{
	{"position", "UInt64"}, {"recorded_at", "DateTime64(6, 'UTC')"}, {"workspace_id", lowString}, {"id", "String"},
	{"subject", "String"}, {"request", "String"}, {"response", "String"},
})

const lowString = "LowCardinality(String)"

func newTable(name string, values func(Item) []any, types []columnType) table {
	columns := ""
	for i, c := range types {
		if i > 0 {
			columns += ", "
		}
		columns += c.name
	}
	return table{name: name, columns: columns, types: types, values: values}
}

// startedAt is the time that a call's row bears.
func startedAt(it Item, r inference.Recorded) time.Time { return sane(r.StartedAt, it.RecordedAt) }

func rowValues(it Item) []any {
	r := it.Fact.(inference.Recorded)
	ts := startedAt(it, r)
	budgets := make([]string, 0, len(r.Reservations))
	reservations := make([]string, 0, len(r.Reservations))
	for _, reservation := range r.Reservations {
		budgets = append(budgets, reservation.BudgetID)
		reservations = append(reservations, reservation.ID)
	}
	workspace := r.Workspace
	if workspace == "" {
		workspace = it.Workspace
	}
	return []any{
		uint64(it.Position), it.EventID, sane(it.RecordedAt, ts), r.ID,
		ts, r.Organization, workspace, r.User,
		r.APIKey, r.App, r.Agent, r.Session,
		r.Conversation, r.Type, r.RequestedModel, r.Model,
		r.Provider, r.Route, r.Stream, string(r.Status), small(int64(r.HTTPStatus)),
		r.ErrorCode, r.Error, r.Cancelled, r.FinishReason,
		natural(r.InputTokens), natural(r.OutputTokens), natural(r.CachedTokens), r.UsageEstimated,
		int64(r.Cost), natural(r.LatencyUS), natural(r.FirstTokenUS), small(int64(r.Attempts)),
		nonNil(r.Tags), nonNilMap(r.Metadata),
		r.CorrelationID, r.RequestID,
		budgets, reservations,
	}
}

func payloadValues(it Item) []any {
	p := it.Fact.(inference.PayloadRecorded)
	return []any{uint64(it.Position), sane(it.RecordedAt, minTime), it.Workspace, p.ID, p.Subject, string(p.Request), string(p.Response)}
}

// natural and small fit numbers into the columns' types. A negative count can
// only come from a provider that lies; it counts as none.
func natural(n int64) uint64 { return uint64(max(n, 0)) }

func small(n int64) uint16 { return uint16(min(max(n, 0), 1<<16-1)) } //nolint:gosec // clamped

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func nonNilMap(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
