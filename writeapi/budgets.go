package writeapi

import (
	"net/http"

	"strata/commands"
	"strata/domain"
	"strata/domain/budget"
	"strata/internal/httpx"
	"strata/internal/view"
)

// budgetFields are what a caller may set of a budget.
type budgetFields struct {
	Name        string   `json:"name" required:"true" minLength:"1" maxLength:"200" example:"Team budget"`
	ScopeType   string   `json:"scope_type" required:"true" access:"c" enum:"organization,workspace,agent,app,user,api_key,model" doc:"What it limits." example:"workspace"`
	ScopeID     string   `json:"scope_id" access:"c" maxLength:"300" doc:"Which agent, app, user, key or model; your own organization or workspace when absent. A user's budget counts the calls of that user and those made for the user."`
	LimitUSD    *float64 `json:"limit_usd" required:"true" minimum:"0" doc:"What may be spent in a period, in US dollars, to the micro-dollar." example:"100"`
	LimitTokens *int64   `json:"limit_tokens" minimum:"0" doc:"How many tokens may be used in a period; 0 = any."`
	Period      string   `json:"period" required:"true" enum:"daily,weekly,monthly,total" example:"monthly"`
	HardLimit   *bool    `json:"hard_limit" default:"true" doc:"Refuse calls with QUOTA_EXCEEDED when it is spent; false only counts."`
	Status      string   `json:"status" enum:"active,exceeded,disabled" default:"active" doc:"active or disabled; exceeded follows from what is spent."`
}

type createBudget struct{ Body budgetFields }

type updateBudget struct {
	ID   string `path:"budget_id"`
	Body struct {
		Name        *string  `json:"name" minLength:"1" maxLength:"200" example:"Team budget"`
		LimitUSD    *float64 `json:"limit_usd" minimum:"0" example:"200"`
		LimitTokens *int64   `json:"limit_tokens" minimum:"0"`
		Period      *string  `json:"period" enum:"daily,weekly,monthly,total"`
		HardLimit   *bool    `json:"hard_limit"`
		Status      *string  `json:"status" enum:"active,exceeded,disabled"`
		ScopeType   *string  `json:"scope_type" access:"c"`
		ScopeID     *string  `json:"scope_id" access:"c"`
	}
}

type budgetID struct {
	ID string `path:"budget_id"`
}

type resetBudget struct {
	budgetID
	Body struct {
		Reason string `json:"reason" maxLength:"500" example:"new project"`
	}
}

// budgetModel is the read model that the gateway finds budgets by.
const budgetModel = "budgets"

func (a *API) budgets() {
	op := func(id, method, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: method, Path: path, Mount: httpx.API, Tag: "Budgets", Summary: summary, Permission: "budgets:" + verb}
	}
	create := op("createBudget", http.MethodPost, "/budgets", "Create a spending limit", "create")
	create.Status = http.StatusCreated
	command(a, operation[createBudget, budget.State, view.Budget]{
		Op: create, agg: budget.Aggregate, settle: budgetModel, view: a.showBudget,
		decide: func(req *commands.Request, in *createBudget) (domain.Decider[budget.State], error) {
			b := in.Body
			req.Create = true
			if b.ScopeType == "organization" {
				req.Principal.Workspace = "" // every workspace of the organization spends from it
			}
			cmd := budget.Create{Name: b.Name, ScopeType: b.ScopeType, ScopeID: b.ScopeID, Limit: domain.FromDollars(*b.LimitUSD),
				Period: budget.Period(b.Period), Soft: b.HardLimit != nil && !*b.HardLimit, Disabled: b.Status == "disabled"}
			if b.LimitTokens != nil {
				cmd.LimitTokens = *b.LimitTokens
			}
			return cmd, nil
		},
	})
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		command(a, operation[updateBudget, budget.State, view.Budget]{
			Op:  op(verbOf(method)+"Budget", method, "/budgets/{budget_id}", "Update a budget", "update"),
			agg: budget.Aggregate, settle: budgetModel, view: a.showBudget,
			decide: func(req *commands.Request, in *updateBudget) (domain.Decider[budget.State], error) {
				req.ID = in.ID
				b := in.Body
				return budget.Change{Name: b.Name, Limit: view.Dollars(b.LimitUSD), LimitTokens: b.LimitTokens,
					Period: (*budget.Period)(b.Period), Hard: b.HardLimit, Status: b.Status, ScopeType: b.ScopeType, ScopeID: b.ScopeID}, nil
			},
		})
	}
	command(a, operation[budgetID, budget.State, view.Deleted]{
		Op:  op("deleteBudget", http.MethodDelete, "/budgets/{budget_id}", "Delete a budget", "delete"),
		agg: budget.Aggregate, settle: budgetModel,
		decide: func(req *commands.Request, in *budgetID) (domain.Decider[budget.State], error) {
			req.ID = in.ID
			return budget.Delete{}, nil
		},
		view: func(l *commands.Loaded[budget.State]) view.Deleted { return view.Deleted{ID: l.ID, Deleted: true} },
	})
	command(a, operation[resetBudget, budget.State, view.Budget]{
		Op:  op("resetBudget", http.MethodPost, "/budgets/{budget_id}/reset", "Reset the current period's usage", "reset"),
		agg: budget.Aggregate, settle: budgetModel, view: a.showBudget,
		decide: func(req *commands.Request, in *resetBudget) (domain.Decider[budget.State], error) {
			req.ID = in.ID
			return budget.Clear{Reason: in.Body.Reason}, nil
		},
	})
}

func (a *API) showBudget(l *commands.Loaded[budget.State]) view.Budget {
	return view.BudgetOf(l.State, l.State.At(a.Handler.Now()), l.CreatedAt, l.UpdatedAt)
}
