package readapi

import (
	"context"
	"net/http"
	"time"

	"strata/internal/httpx"
	"strata/projections/analytics"
)

type logQuery struct {
	httpx.ListParams
	period
	User          string `query:"user" doc:"End user."`
	Model         string `query:"model" doc:"provider/model that answered."`
	Status        string `query:"status" enum:"success,error"`
	Type          string `query:"type" doc:"chat or embedding."`
	Tag           string `query:"tag"`
	CorrelationID string `query:"correlation_id"`
	Session       string `query:"session" doc:"Session the call belongs to."`
	App           string `query:"app_id"`
}

type summaryQuery struct {
	period
	User          string `query:"user" doc:"End user."`
	Model         string `query:"model" doc:"provider/model that answered."`
	Type          string `query:"type" doc:"chat or embedding."`
	CorrelationID string `query:"correlation_id"`
}

// period is a range of time; 30 days back from now when absent.
type period struct {
	StartDate time.Time `query:"start_date" doc:"RFC 3339; 30 days back when absent."`
	EndDate   time.Time `query:"end_date" doc:"RFC 3339; now when absent."`
}

type logID struct {
	ID string `path:"id"`
}

func (a *API) inferenceLogs() {
	op := func(id, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: httpx.V1, Tag: "Inference logs", Summary: summary,
			Permission: "inference-logs:" + verb}
	}
	logs := op("listInferenceLogs", "/inference-logs", "Get inference logs", "list")
	logs.Description = "Newest first. A call shows up within a second or two after it ended."
	logs.Paging, logs.PageMax = httpx.Pages, analytics.MaxPageSize
	httpx.Register(a.r, logs, func(ctx context.Context, in *logQuery) (httpx.Reply[httpx.List[analytics.Log]], error) {
		var none httpx.Reply[httpx.List[analytics.Log]]
		q, err := a.Analytics(ctx)
		if err != nil {
			return none, err
		}
		_, ws := tenant(ctx)
		found, err := q.InferenceLogs(ctx, analytics.Filter{Workspace: ws, Start: in.StartDate, End: in.EndDate, User: in.User,
			Model: in.Model, Status: in.Status, Type: in.Type, Tag: in.Tag, CorrelationID: in.CorrelationID, Session: in.Session,
			App: in.App}, analytics.Page{Number: in.Page, Size: in.Limit})
		if err != nil {
			return none, err
		}
		return httpx.Reply[httpx.List[analytics.Log]]{Body: httpx.List[analytics.Log]{Items: found.Logs, HasMore: found.HasMore}}, nil
	})
	httpx.Register(a.r, op("getInferenceLogsSummary", "/inference-logs/summary", "Get inference logs summary", "list"),
		func(ctx context.Context, in *summaryQuery) (httpx.Reply[analytics.Summary], error) {
			q, err := a.Analytics(ctx)
			if err != nil {
				return httpx.Reply[analytics.Summary]{}, err
			}
			_, ws := tenant(ctx)
			sum, err := q.Summary(ctx, analytics.Filter{Workspace: ws, Start: in.StartDate, End: in.EndDate, User: in.User,
				Model: in.Model, Type: in.Type, CorrelationID: in.CorrelationID})
			return httpx.Reply[analytics.Summary]{Body: sum}, err
		})
	httpx.Register(a.r, op("getInferenceLog", "/inference-logs/{id}", "Get one inference log with its request and response", "get"),
		func(ctx context.Context, in *logID) (httpx.Reply[analytics.LogDetail], error) {
			q, err := a.Analytics(ctx)
			if err != nil {
				return httpx.Reply[analytics.LogDetail]{}, err
			}
			_, ws := tenant(ctx)
			log, err := q.InferenceLog(ctx, ws, in.ID)
			return httpx.Reply[analytics.LogDetail]{Body: log}, err
		})
}

type reportQuery struct {
	period
	AppID    string `query:"app_id" doc:"Calls of one app."`
	Model    string `query:"model" doc:"provider/model that answered."`
	Interval string `query:"interval" enum:"minute,hour,day" doc:"Steps of the series; chosen by the range when absent."`
}

type groupedQuery struct {
	reportQuery
	GroupBy string `query:"group_by" enum:"day,model,app,agent,user" doc:"Splits the series."`
}

func (q *reportQuery) report(ctx context.Context, groupBy string) analytics.Report {
	_, ws := tenant(ctx)
	return analytics.Report{Filter: analytics.Filter{Workspace: ws, Start: q.StartDate, End: q.EndDate, App: q.AppID, Model: q.Model},
		GroupBy: groupBy, Interval: analytics.Interval(q.Interval)}
}

func (a *API) analytics() {
	op := func(id, path, summary string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodGet, Path: path, Mount: httpx.API, Tag: "Analytics", Summary: summary, Permission: "analytics:read"}
	}
	httpx.Register(a.r, op("getUsage", "/analytics/usage", "Get usage statistics"),
		func(ctx context.Context, in *groupedQuery) (httpx.Reply[analytics.Usage], error) {
			q, err := a.Analytics(ctx)
			if err != nil {
				return httpx.Reply[analytics.Usage]{}, err
			}
			out, err := q.Usage(ctx, in.report(ctx, in.GroupBy))
			return httpx.Reply[analytics.Usage]{Body: out}, err
		})
	httpx.Register(a.r, op("getPerformance", "/analytics/performance", "Get performance metrics"),
		func(ctx context.Context, in *reportQuery) (httpx.Reply[analytics.Performance], error) {
			q, err := a.Analytics(ctx)
			if err != nil {
				return httpx.Reply[analytics.Performance]{}, err
			}
			out, err := q.Performance(ctx, in.report(ctx, ""))
			return httpx.Reply[analytics.Performance]{Body: out}, err
		})
	httpx.Register(a.r, op("getCosts", "/analytics/costs", "Get cost breakdown"),
		func(ctx context.Context, in *groupedQuery) (httpx.Reply[analytics.Costs], error) {
			q, err := a.Analytics(ctx)
			if err != nil {
				return httpx.Reply[analytics.Costs]{}, err
			}
			out, err := q.Costs(ctx, in.report(ctx, in.GroupBy))
			return httpx.Reply[analytics.Costs]{Body: out}, err
		})
}
