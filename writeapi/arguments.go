package writeapi

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"strata/commands"
	"strata/domain"
	"strata/domain/argument"
	"strata/domain/insight"
	"strata/internal/httpx"
	"strata/internal/view"
	"strata/writeapi/arguments"
)

// argumentUpdate is what can be changed of an argument.
type argumentUpdate struct {
	ActionID    string          `json:"action_id" maxLength:"200"`
	Argument    string          `json:"argument" doc:"The text, by hand." example:"Five years with us: the next one is ten percent cheaper."`
	Thinking    string          `json:"argument_thinking"`
	Client      domain.Doc      `json:"client"`
	Product     domain.Doc      `json:"product"`
	InsightSpec domain.Doc      `json:"insight_spec"`
	Review      *argumentReview `json:"review" doc:"Moves the review on: pending may become anything, waiting_review reviewing, success or failed, reviewing waiting_review, success or failed; what was decided may be reviewed again."`
}

type argumentReview struct {
	Status   *string `json:"status" enum:"pending,waiting_review,success,failed,reviewing" example:"reviewing"`
	Reviewer *string `json:"reviewer" maxLength:"200" doc:"Who reviews; the caller when the status changes and nobody is named."`
	Comment  *string `json:"comment" example:"Good, but too long"`
}

type argumentBody struct{ Body arguments.ArgumentRequest }

type insightBody struct{ Body arguments.InsightRequest }

type updateArgument struct {
	ID   string `path:"id"`
	Body json.RawMessage
}

type byID struct {
	ID string `path:"id"`
}

// arguments registers what is done to arguments and insights.
func (a *API) arguments() {
	argue := httpx.Op{ID: "createArgumentV1", Method: http.MethodPost, Path: "/arguments/completions", Mount: httpx.V1, Tag: "Arguments",
		Summary:     "Create argument completion",
		Description: "A model writes a text for one client that argues for an action. When it fails, the answer is an argument with `error`, and it is kept.",
		Permission:  "arguments:create", Streaming: true,
		BodyExample: json.RawMessage(`{"model":"strata/extract-1","client":{"id":"cli_4711","name":"Ann","years":5},"product":{"name":"Contract"},"insight_spec":{"tone":"warm","length":"two sentences"}}`)}
	httpx.Register(a.r, argue, func(ctx context.Context, in *argumentBody) (httpx.Reply[view.ArgumentV1], error) {
		out, err := a.Arguments.Argue(ctx, in.Body)
		return httpx.Reply[view.ArgumentV1]{Body: out}, err
	})
	argue.ID, argue.Mount = "createArgument", httpx.API
	httpx.Register(a.r, argue, func(ctx context.Context, in *argumentBody) (httpx.Reply[view.Argument], error) {
		out, err := a.Arguments.Argue(ctx, in.Body)
		return httpx.Reply[view.Argument]{Body: out.Argument}, err
	})
	look := httpx.Op{ID: "createInsightV1", Status: http.StatusCreated, Method: http.MethodPost, Path: "/insights", Mount: httpx.V1, Tag: "Insights", Summary: "Create insight",
		Description: "A model looks into a client and some actions: what to say, over which channel, when and why. When it fails, the answer is an insight with `error`.",
		Permission:  "insights:create", Streaming: true,
		BodyExample: json.RawMessage(`{"client":"A client of five years with two contracts, reads e-mail in the morning","model":"strata/extract-1"}`)}
	for _, mount := range []*httpx.Mount{httpx.V1, httpx.API} {
		look.Mount = mount
		httpx.Register(a.r, look, func(ctx context.Context, in *insightBody) (httpx.Reply[view.Insight], error) {
			out, err := a.Arguments.Look(ctx, in.Body)
			return httpx.Reply[view.Insight]{Body: out}, err
		})
		look.ID = "createInsight"
	}
	reviseArgument(a, httpx.V1, "V1", func(l *commands.Loaded[argument.State]) view.ArgumentV1 {
		return view.ArgumentV1Of(l.State, l.Workspace)
	})
	reviseArgument(a, httpx.API, "", func(l *commands.Loaded[argument.State]) view.Argument { return view.ArgumentOf(l.State, l.Workspace) })
	a.deleteWritten()
}

func reviseArgument[V any](a *API, mount *httpx.Mount, suffix string, show func(*commands.Loaded[argument.State]) V) {
	for _, method := range []string{http.MethodPut, http.MethodPatch} {
		command(a, operation[updateArgument, argument.State, V]{
			Op: httpx.Op{ID: verbOf(method) + "Argument" + suffix, Method: method, Path: "/arguments/{id}", Mount: mount, Tag: "Arguments",
				Summary: "Update an argument", Description: "Fields that are absent stay as they are; null removes. The review moves only where it may.",
				Permission: "arguments:update", Body: reflect.TypeFor[argumentUpdate](), BodyView: httpx.Update,
				BodyExample: json.RawMessage(`{"argument":"Five years with us: the next one is ten percent cheaper.","review":{"status":"reviewing","comment":"Good, but too long"}}`)},
			agg: argument.Aggregate,
			decide: func(req *commands.Request, in *updateArgument) (domain.Decider[argument.State], error) {
				req.ID = in.ID
				return argumentRevision(in.Body)
			},
			view: show,
		})
	}
}

func argumentRevision(body json.RawMessage) (domain.Decider[argument.State], error) {
	var cmd argument.Revise
	var in argumentUpdate
	if err := json.Unmarshal(body, &cmd.Patch); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	delete(cmd.Patch, "review")
	if in.Review != nil {
		cmd.Review = &argument.ReviewPatch{Reviewer: in.Review.Reviewer, Comment: in.Review.Comment}
		if in.Review.Status != nil {
			status := argument.Status(*in.Review.Status)
			cmd.Review.Status = &status
		}
	}
	return cmd, nil
}

// deleteWritten registers the deletes; insights are deleted on the enveloped
// mount only, as they are listed there only.
func (a *API) deleteWritten() {
	op := func(id, path string, mount *httpx.Mount, tag, what string) httpx.Op {
		return httpx.Op{ID: id, Method: http.MethodDelete, Path: path + "/{id}", Mount: mount, Tag: tag, Summary: "Delete an " + what, Permission: path[1:] + ":delete"}
	}
	remove := func(req *commands.Request, in *byID) (domain.Decider[argument.State], error) {
		req.ID = in.ID
		return argument.Delete{}, nil
	}
	command(a, operation[byID, argument.State, view.DeletedID]{Op: op("deleteArgumentV1", "/arguments", httpx.V1, "Arguments", "argument"),
		agg: argument.Aggregate, decide: remove,
		view: func(l *commands.Loaded[argument.State]) view.DeletedID { return view.DeletedID{ID: l.ID} }})
	command(a, operation[byID, argument.State, view.Deleted]{Op: op("deleteArgument", "/arguments", httpx.API, "Arguments", "argument"),
		agg: argument.Aggregate, decide: remove,
		view: func(l *commands.Loaded[argument.State]) view.Deleted { return view.Deleted{ID: l.ID, Deleted: true} }})
	command(a, operation[byID, insight.State, view.Deleted]{Op: op("deleteInsight", "/insights", httpx.API, "Insights", "insight"),
		agg: insight.Aggregate,
		decide: func(req *commands.Request, in *byID) (domain.Decider[insight.State], error) {
			req.ID = in.ID
			return insight.Delete{}, nil
		},
		view: func(l *commands.Loaded[insight.State]) view.Deleted { return view.Deleted{ID: l.ID, Deleted: true} }})
}
