package readapi

import (
	"context"
	"net/http"
	"time"

	"strata/domain"
	"strata/domain/budget"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/projections/analytics"
	"strata/projections/budgets"
	"strata/projections/history"
)

type budgetUsage struct {
	ID        string    `path:"budget_id"`
	StartDate time.Time `query:"start_date" doc:"Beginning of the breakdown; the current period's when absent."`
	EndDate   time.Time `query:"end_date" doc:"End of the breakdown; now when absent."`
	GroupBy   string    `query:"group_by" enum:"agent,model,day" default:"model"`
}

type budgetCheck struct {
	Body struct {
		ScopeType    string   `json:"scope_type" required:"true" enum:"organization,workspace,agent,app,user,api_key,model" example:"workspace"`
		ScopeID      string   `json:"scope_id"`
		EstimatedUSD *float64 `json:"estimated_usd" required:"true" minimum:"0" example:"0.05"`
	}
}

func (a *API) budgets() {
	op := func(id, method, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: method, Path: path, Mount: httpx.API, Tag: "Budgets", Summary: summary,
			Permission: "budgets:" + verb, Reads: budgets.Name}
	}
	listing := op("listBudgets", http.MethodGet, "/budgets", "List budgets", "list")
	listing.Paging, listing.Sort, listing.Search = httpx.Cursor, budgets.SortFields, true
	listing.Filters = []string{"status=active|exceeded|disabled", "scope_type", "scope_id"}
	httpx.Register(a.r, listing, func(ctx context.Context, in *struct{ httpx.ListParams }) (httpx.Reply[httpx.List[view.Budget]], error) {
		org, ws := tenant(ctx)
		found, err := a.Budgets.List(ctx, budgets.Filter{Organization: org, Workspace: ws, Status: in.Filters["status"],
			ScopeType: in.Filters["scope_type"], ScopeID: in.Filters["scope_id"], Search: in.Search}, page(in.ListParams))
		if err != nil {
			return httpx.Reply[httpx.List[view.Budget]]{}, err
		}
		return list(found, always(showBudget))
	})
	serve(a, resource[budget.State, view.Budget]{
		op: op("getBudget", http.MethodGet, "/budgets/{budget_id}", "Get a budget", "get"), agg: budget.Aggregate, param: "budget_id",
		now: func(ctx context.Context) (httpx.Reply[view.Budget], error) {
			org, ws := tenant(ctx)
			b, err := a.Budgets.Get(ctx, org, ws, httpx.PathValue(ctx, "budget_id"))
			return httpx.Reply[view.Budget]{Body: showBudget(b), Revision: &b.Revision}, err
		},
		mine: func(ctx context.Context, m *history.Moment[budget.State]) bool { // an organization's budget concerns all its workspaces
			org, ws := tenant(ctx)
			return m.First.Organization == org && (m.First.Workspace == ws || m.First.Workspace == "")
		},
		alive: func(m *history.Moment[budget.State]) bool { return m.State.Exists && !m.State.IsDeleted },
		show: func(m *history.Moment[budget.State]) (view.Budget, error) {
			return view.BudgetOf(m.State, m.State.At(m.AsOf), m.First.OccurredAt, m.Event.Meta.OccurredAt), nil
		},
	})
	httpx.Register(a.r, op("getBudgetUsage", http.MethodGet, "/budgets/{budget_id}/usage", "Get usage against a budget", "get"), a.budgetUsage)
	httpx.Register(a.r, op("checkBudget", http.MethodPost, "/budgets/check", "Check whether a planned spend fits", "get"), a.checkBudget)
}

func showBudget(b budgets.Budget) view.Budget {
	return view.BudgetOf(&b.State, b.Figures, b.CreatedAt, b.UpdatedAt)
}

func (a *API) budgetUsage(ctx context.Context, in *budgetUsage) (httpx.Reply[view.BudgetUsage], error) {
	var none httpx.Reply[view.BudgetUsage]
	org, ws := tenant(ctx)
	b, err := a.Budgets.Get(ctx, org, ws, in.ID)
	if err != nil {
		return none, err
	}
	usage := view.UsageOf(&b.State, b.Figures)
	parts, err := a.breakdown(ctx, org, ws, b, in)
	switch {
	case err != nil && domain.CodeOf(err) == domain.CodeUnavailable:
		usage.BreakdownUnavailable = "analytics cannot be read now, try again in a moment" // the ledger needs none
	case err != nil:
		return none, err
	}
	for _, p := range parts {
		usage.Breakdown = append(usage.Breakdown, view.BudgetBreakdown{Key: breakdownKey(p), CostUSD: p.CostUSD,
			Tokens: int64(p.TotalTokens), Calls: int64(p.Calls)})
	}
	return httpx.Reply[view.BudgetUsage]{Body: usage}, nil
}

// breakdown says on what a budget's scope spent, from the inference log.
func (a *API) breakdown(ctx context.Context, org, ws string, b budgets.Budget, in *budgetUsage) ([]analytics.Breakdown, error) {
	from, to := in.StartDate, in.EndDate
	if from.IsZero() {
		from = b.Figures.Start
	}
	if from.IsZero() {
		from = b.CreatedAt
	}
	if to.IsZero() {
		to = a.Now()
	}
	queries, err := a.Analytics(ctx)
	if err != nil {
		return nil, err
	}
	scope := analytics.Filter{Workspace: ws, Start: from, End: to}
	switch b.State.ScopeType {
	case "organization":
		scope.Workspace, scope.Organization = "", org
	case "agent":
		scope.Agent = b.State.ScopeID
	case "app":
		scope.App = b.State.ScopeID
	case "user":
		scope.User = b.State.ScopeID
	case "api_key":
		scope.APIKey = b.State.ScopeID
	case "model":
		scope.Model = b.State.ScopeID
	}
	return queries.BudgetBreakdown(ctx, scope, in.GroupBy)
}

func breakdownKey(p analytics.Breakdown) string {
	switch {
	case p.Day != nil:
		return p.Day.Format(time.DateOnly)
	case p.Model != nil:
		return *p.Model
	case p.Agent != nil:
		return *p.Agent
	}
	return ""
}

// checkBudget looks at every budget of a scope. It promises nothing: between
// the answer and the spending, others spend too.
func (a *API) checkBudget(ctx context.Context, in *budgetCheck) (httpx.Reply[view.BudgetCheck], error) {
	org, ws := tenant(ctx)
	own := in.Body.ScopeType == "organization" || in.Body.ScopeType == "workspace"
	var faults domain.Faults
	faults.Add(!own && in.Body.ScopeID == "", "scope_id", "is required for the scope %s", in.Body.ScopeType)
	if err := faults.Err(); err != nil {
		return httpx.Reply[view.BudgetCheck]{}, err
	}
	f := budgets.Filter{Organization: org, Workspace: ws, ScopeType: in.Body.ScopeType, ScopeID: in.Body.ScopeID}
	found, err := a.Budgets.List(ctx, f, page(httpx.ListParams{Limit: 1000}))
	if err != nil {
		return httpx.Reply[view.BudgetCheck]{}, err
	}
	planned := domain.FromDollars(*in.Body.EstimatedUSD)
	out := view.BudgetCheck{Allowed: true}
	least := domain.Money(-1)
	for _, b := range found.Items {
		if b.State.Off {
			continue
		}
		if least < 0 || b.Figures.Remaining < least {
			least = b.Figures.Remaining
		}
		if b.State.Hard && planned > b.Figures.Remaining && out.Allowed {
			out.Allowed, out.BlockingBudgetID = false, b.State.ID
		}
	}
	if least >= 0 {
		out.RemainingUSD = least.Dollars()
	}
	return httpx.Reply[view.BudgetCheck]{Body: out}, nil
}
