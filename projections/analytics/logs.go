package analytics

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	"strata/domain"
)

// Page selects a part of a list.
type Page struct {
	Number int  // from 1; 0: 1
	Size   int  // 0: 20; at most MaxPageSize
	Total  bool // also count all rows that match
}

// MaxPageSize is the most rows in one page; more are clamped.
const MaxPageSize = 100

// maxDepth bounds how far a list can be paged, because ClickHouse reads and
// throws away what lies before a page.
const maxDepth = 100_000

func (p Page) normalise() (Page, error) {
	if p.Number == 0 {
		p.Number = 1
	}
	if p.Size == 0 {
		p.Size = 20
	}
	p.Size = min(p.Size, MaxPageSize)
	var faults domain.Faults
	faults.Add(p.Number < 1, "page", "must be at least 1")
	faults.Add(p.Size < 1, "page_size", "must be at least 1")
	faults.Add(p.Number > maxDepth/max(p.Size, 1), "page", "is too deep, narrow the dates instead")
	return p, faults.Err()
}

// Log is one row of the inference log.
type Log struct {
	ID             string            `json:"id"`
	Timestamp      time.Time         `json:"timestamp"` // when the call started, UTC
	User           string            `json:"user"`
	Model          string            `json:"model"` // provider/model that answered
	RequestedModel string            `json:"requested_model"`
	Provider       string            `json:"provider"`
	Route          string            `json:"route,omitempty"`
	Type           string            `json:"type"`
	Status         string            `json:"status"` // success or error
	HTTPStatus     int               `json:"http_status"`
	ErrorCode      string            `json:"error_code,omitempty"`
	Error          string            `json:"error"`
	Cancelled      bool              `json:"cancelled"`
	Stream         bool              `json:"stream"`
	FinishReason   string            `json:"finish_reason,omitempty"`
	InputTokens    uint64            `json:"input_tokens"`
	OutputTokens   uint64            `json:"output_tokens"`
	TotalTokens    uint64            `json:"total_tokens"`
	CachedTokens   uint64            `json:"cached_tokens"`
	UsageEstimated bool              `json:"usage_estimated"`
	CostUSD        float64           `json:"cost_usd"`
	LatencyMS      int64             `json:"latency_ms"`        // rounded
	TTFTMS         *float64          `json:"ttft_ms,omitempty"` // to the first token, streams only
	Attempts       int               `json:"attempts"`
	App            string            `json:"app_id,omitempty"`
	Agent          string            `json:"agent_id,omitempty"`
	APIKey         string            `json:"api_key_id,omitempty"`
	Session        string            `json:"session_id,omitempty"`
	Conversation   string            `json:"conversation_id,omitempty"`
	Tags           []string          `json:"tags"`
	Metadata       map[string]string `json:"metadata"`
	CorrelationID  string            `json:"correlation_id"`
	RequestID      string            `json:"request_id,omitempty"`
}

// LogPage is a page of the inference log, newest first.
type LogPage struct {
	Logs    []Log   `json:"data"`
	HasMore bool    `json:"has_more"`
	Total   *uint64 `json:"total,omitempty"` // when asked for
}

// LogDetail is a call with what was said, if that was recorded and is still kept.
type LogDetail struct {
	Log
	Request  json.RawMessage `json:"request,omitempty"`
	Response json.RawMessage `json:"response,omitempty"`
}

// logRow is how the driver scans a row.
type logRow struct {
	ID             string            `ch:"id"`
	Timestamp      time.Time         `ch:"ts"`
	User           string            `ch:"end_user"`
	Model          string            `ch:"model"`
	RequestedModel string            `ch:"requested_model"`
	Provider       string            `ch:"provider"`
	Route          string            `ch:"route"`
	Type           string            `ch:"type"`
	Status         string            `ch:"status"`
	HTTPStatus     uint16            `ch:"http_status"`
	ErrorCode      string            `ch:"error_code"`
	Error          string            `ch:"error"`
	Cancelled      bool              `ch:"cancelled"`
	Stream         bool              `ch:"stream"`
	FinishReason   string            `ch:"finish_reason"`
	InputTokens    uint64            `ch:"input_tokens"`
	OutputTokens   uint64            `ch:"output_tokens"`
	CachedTokens   uint64            `ch:"cached_tokens"`
	UsageEstimated bool              `ch:"usage_estimated"`
	Cost           int64             `ch:"cost_micro_usd"`
	LatencyUS      uint64            `ch:"latency_us"`
	FirstTokenUS   uint64            `ch:"ttft_us"`
	Attempts       uint16            `ch:"attempts"`
	App            string            `ch:"app_id"`
	Agent          string            `ch:"agent_id"`
	APIKey         string            `ch:"api_key_id"`
	Session        string            `ch:"session_id"`
	Conversation   string            `ch:"conversation_id"`
	Tags           []string          `ch:"tags"`
	Metadata       map[string]string `ch:"metadata"`
	CorrelationID  string            `ch:"correlation_id"`
	RequestID      string            `ch:"request_id"`
}

const logColumns = `id, ts, end_user, model, requested_model, provider, route, type, status, http_status, error_code, error,
	cancelled, stream, finish_reason, input_tokens, output_tokens, cached_tokens, usage_estimated, cost_micro_usd, latency_us,
	ttft_us, attempts, app_id, agent_id, api_key_id, session_id, conversation_id, tags, metadata, correlation_id, request_id`

func (r logRow) log() Log {
	l := Log{
		ID: r.ID, Timestamp: r.Timestamp.UTC(), User: r.User, Model: r.Model, RequestedModel: r.RequestedModel,
		Provider: r.Provider, Route: r.Route, Type: r.Type, Status: r.Status, HTTPStatus: int(r.HTTPStatus),
		ErrorCode: r.ErrorCode, Error: r.Error, Cancelled: r.Cancelled, Stream: r.Stream, FinishReason: r.FinishReason,
		InputTokens: r.InputTokens, OutputTokens: r.OutputTokens, TotalTokens: r.InputTokens + r.OutputTokens,
		CachedTokens: r.CachedTokens, UsageEstimated: r.UsageEstimated, CostUSD: domain.Money(r.Cost).Dollars(),
		LatencyMS: int64(math.Round(float64(r.LatencyUS) / 1000)), Attempts: int(r.Attempts),
		App: r.App, Agent: r.Agent, APIKey: r.APIKey, Session: r.Session, Conversation: r.Conversation,
		Tags: r.Tags, Metadata: r.Metadata, CorrelationID: r.CorrelationID, RequestID: r.RequestID,
	}
	if r.FirstTokenUS > 0 {
		ms := float64(r.FirstTokenUS) / 1000
		l.TTFTMS = &ms
	}
	return l
}

// InferenceLogs lists calls, newest first. Without dates it looks at all of them.
func (q *Queries) InferenceLogs(ctx context.Context, f Filter, p Page) (LogPage, error) {
	f, err := q.wholeRange(f)
	if err != nil {
		return LogPage{}, err
	}
	if p, err = p.normalise(); err != nil {
		return LogPage{}, err
	}
	where, args := f.rows()
	page := LogPage{Logs: []Log{}}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		// The order is the table's own, read backwards: ClickHouse stops as
		// soon as the page is full. One row more tells whether there are more.
		sql := "SELECT " + logColumns + " FROM inferences WHERE " + where +
			" ORDER BY toStartOfHour(ts) DESC, ts DESC, id DESC LIMIT {limit:UInt32} OFFSET {offset:UInt32}"
		args := append(args[:len(args):len(args)], ch.Named("limit", p.Size+1), ch.Named("offset", (p.Number-1)*p.Size))
		var rows []logRow
		if err := q.db.Conn().Select(gctx, &rows, sql, args...); err != nil {
			return q.db.Explain("list the inference log", err)
		}
		if len(rows) > p.Size {
			rows, page.HasMore = rows[:p.Size], true
		}
		for _, r := range rows {
			page.Logs = append(page.Logs, r.log())
		}
		return nil
	})
	if p.Total {
		g.Go(func() error {
			var total uint64
			page.Total = &total
			err := q.db.Conn().QueryRow(gctx, "SELECT count() FROM inferences WHERE "+where, args...).Scan(&total)
			return q.db.Explain("count the inference log", err)
		})
	}
	return page, g.Wait()
}

// wholeRange is normalise with "since ever" as the default start.
func (q *Queries) wholeRange(f Filter) (Filter, error) {
	if f.Start.IsZero() {
		f.Start = minTime
	}
	if f.End.IsZero() {
		f.End = q.now().Add(time.Minute) // clocks of gateways may differ a little
		if f.Start.After(f.End) {        // nothing has happened since, which is no fault
			f.End = f.Start
		}
	}
	return f.normalise(q.now())
}

// rows is the filter as a condition on the rows themselves.
func (f Filter) rows() (string, []any) {
	c := f.condition()
	terms := append(c.terms, "ts >= {start:DateTime64(6, 'UTC')}", "ts < {end:DateTime64(6, 'UTC')}")
	return strings.Join(terms, " AND "), append(c.args, ch.Named("start", f.Start), ch.Named("end", f.End))
}

// InferenceLog returns one call with its payloads. A call of another workspace
// is not found.
func (q *Queries) InferenceLog(ctx context.Context, workspace, id string) (LogDetail, error) {
	args := []any{ch.Named("workspace", workspace), ch.Named("id", id)}
	var rows []logRow
	err := q.db.Conn().Select(ctx, &rows, "SELECT "+logColumns+
		" FROM inferences WHERE workspace_id = {workspace:String} AND id = {id:String} LIMIT 1", args...)
	if err != nil {
		return LogDetail{}, q.db.Explain("read an inference log", err)
	}
	if len(rows) == 0 {
		return LogDetail{}, domain.NotFound("inference log", id)
	}
	detail := LogDetail{Log: rows[0].log()}
	var payloads []struct {
		Request  string `ch:"request"`
		Response string `ch:"response"`
	}
	err = q.db.Conn().Select(ctx, &payloads, `SELECT request, response FROM inference_payloads
		WHERE workspace_id = {workspace:String} AND id = {id:String} ORDER BY position DESC LIMIT 1`, args...)
	if err != nil {
		return LogDetail{}, q.db.Explain("read the payload of an inference log", err)
	}
	for _, p := range payloads {
		detail.Request, detail.Response = asJSON(p.Request), asJSON(p.Response)
	}
	return detail, nil
}

// asJSON returns text as JSON: as it is, or as a string if it is none.
func asJSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil { // cannot be: every string can be marshalled
		return nil
	}
	return quoted
}

// ModelUsage is the part of a summary that one model has.
type ModelUsage struct {
	Calls        uint64  `json:"calls"`
	InputTokens  uint64  `json:"input_tokens"`
	OutputTokens uint64  `json:"output_tokens"`
	TotalTokens  uint64  `json:"total_tokens"`
	CostUSD      float64 `json:"cost_usd"`
	AvgLatencyMS float64 `json:"avg_latency_ms"`
}

// Summary sums up a part of the inference log.
type Summary struct {
	PeriodStart  time.Time             `json:"period_start_date"`
	PeriodEnd    time.Time             `json:"period_end_date"`
	TotalCalls   uint64                `json:"total_calls"`
	SuccessRate  float64               `json:"success_rate"` // 0 to 1; 0 when there were no calls
	AvgLatencyMS float64               `json:"avg_latency_ms"`
	InputTokens  uint64                `json:"input_tokens"`
	OutputTokens uint64                `json:"output_tokens"`
	TotalTokens  uint64                `json:"total_tokens"`
	CostUSD      float64               `json:"cost_usd"`
	ModelUsage   map[string]ModelUsage `json:"model_usage"`
}

// Summary sums up the calls of a filter, in all and by model.
func (q *Queries) Summary(ctx context.Context, f Filter) (Summary, error) {
	f, err := f.normalise(q.now())
	if err != nil {
		return Summary{}, err
	}
	sets, err := q.measures(ctx, selection{filter: f, sets: [][]string{{"model"}}, sums: allSums})
	if err != nil {
		return Summary{}, err
	}
	s := Summary{PeriodStart: f.Start, PeriodEnd: f.End, ModelUsage: map[string]ModelUsage{}}
	var all measure
	for _, m := range sets[0] {
		s.ModelUsage[m.Model] = ModelUsage{
			Calls: m.Calls, InputTokens: m.Input, OutputTokens: m.Output, TotalTokens: m.Input + m.Output,
			CostUSD: m.costUSD(), AvgLatencyMS: m.avgLatencyMS(),
		}
		all.Calls, all.Errors, all.LatencyUS = all.Calls+m.Calls, all.Errors+m.Errors, all.LatencyUS+m.LatencyUS
		all.Input, all.Output, all.Cost = all.Input+m.Input, all.Output+m.Output, all.Cost+m.Cost
	}
	s.TotalCalls, s.SuccessRate, s.AvgLatencyMS = all.Calls, all.successRate(), all.avgLatencyMS()
	s.InputTokens, s.OutputTokens, s.TotalTokens, s.CostUSD = all.Input, all.Output, all.Input+all.Output, all.costUSD()
	return s, nil
}
