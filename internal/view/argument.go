package view

import (
	"strings"
	"time"

	"strata/domain"
	"strata/domain/argument"
	"strata/domain/insight"
)

// Argument is a text that argues for an action to a client.
type Argument struct {
	ID          string         `json:"id" example:"arg_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	ActionID    string         `json:"action_id" example:"act_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Argument    string         `json:"argument" doc:"The text; empty when the model failed." example:"You have been with us for five years: the next one is ten percent cheaper."`
	Thinking    string         `json:"argument_thinking" doc:"What the model thought for it, if it said so."`
	Client      domain.Doc     `json:"client"`
	Product     domain.Doc     `json:"product"`
	InsightSpec domain.Doc     `json:"insight_spec"`
	Review      ArgumentReview `json:"review"`
	Model       string         `json:"model" doc:"That answered." example:"strata/extract-1"`
	Duration    int64          `json:"duration" doc:"Of the model's call, in milliseconds." example:"812"`
	Usage       CompletionUsed `json:"usage"`
	Finish      string         `json:"finish_reason" example:"stop"`
	Error       string         `json:"error" doc:"Why there is no argument; empty when there is one."`
	Space       string         `json:"space" doc:"The workspace it belongs to."`
	CreatedAt   time.Time      `json:"created_at"`
	UpdatedAt   time.Time      `json:"updated_at"`
	Prompt      *[]ChatSaid    `json:"prompt,omitempty" doc:"With echo: what the model was sent."`
}

// ArgumentV1 is an argument with its id under both names that the Inference API
// has for it.
type ArgumentV1 struct {
	UnderscoreID string `json:"_id" doc:"The id again." example:"arg_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Argument
}

// ArgumentReview is what was thought of an argument.
type ArgumentReview struct {
	Status     string     `json:"status" enum:"pending,waiting_review,success,failed,reviewing" example:"pending"`
	Reviewer   string     `json:"reviewer,omitempty" doc:"Who reviews."`
	Comment    string     `json:"comment,omitempty"`
	ReviewedAt *time.Time `json:"reviewed_at,omitempty" doc:"When the review last moved on."`
}

// ArgumentOf renders an argument.
func ArgumentOf(s *argument.State, workspace string) Argument {
	return Argument{ID: s.ID, ActionID: s.ActionID, Argument: s.Argument, Thinking: s.Thinking, Client: orEmpty(s.Client), Product: orEmpty(s.Product),
		InsightSpec: orEmpty(s.InsightSpec), Model: s.Model, Duration: s.DurationMS, Usage: usedOf(s.Usage), Finish: s.FinishReason, Error: s.Error,
		Space: workspace, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		Review: ArgumentReview{Status: string(s.Review.Status), Reviewer: s.Review.Reviewer, Comment: s.Review.Comment, ReviewedAt: timeOrNil(s.Review.ReviewedAt)}}
}

// ArgumentV1Of renders an argument for the plain mount.
func ArgumentV1Of(s *argument.State, workspace string) ArgumentV1 {
	return ArgumentV1{UnderscoreID: s.ID, Argument: ArgumentOf(s, workspace)}
}

func usedOf(u argument.Usage) CompletionUsed {
	return CompletionUsed{PromptTokens: u.Prompt, CompletionTokens: u.Completion, TotalTokens: u.Total}
}

// orEmpty shows a document that is not there as an empty one.
func orEmpty(d domain.Doc) domain.Doc {
	if d == nil {
		return domain.Doc{}
	}
	return d
}

// Insight is what a model makes of a client and some actions.
type Insight struct {
	ID               string         `json:"id" example:"ins_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Actions          string         `json:"actions" doc:"Ids of the actions, joined by commas." example:"act_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Client           string         `json:"client" doc:"As it was asked about."`
	Argument         string         `json:"argument" doc:"What was thought for the argument, and the argument."`
	ArgumentContent  string         `json:"argument_content" doc:"The text for the client." example:"You have been with us for five years: the next one is ten percent cheaper."`
	ArgumentThinking string         `json:"argument_thinking" doc:"What was thought for it, if the model said so."`
	BestChannel      string         `json:"best_channel" doc:"Empty when the model did not say." example:"email"`
	BestTime         string         `json:"best_time" example:"Tuesday morning"`
	Timeliness       string         `json:"timeliness" example:"The contract ends this month"`
	Insight          string         `json:"insight" example:"Answers offers that name its loyalty"`
	Thinking         string         `json:"thinking" doc:"What the model thought before it answered, if it said so."`
	Type             string         `json:"type" doc:"Of the best action." example:"discount"`
	FinishReason     string         `json:"finish_reason" example:"stop"`
	Model            string         `json:"model" doc:"That answered." example:"strata/extract-1"`
	Elapsed          float64        `json:"elapsed_time_in_seconds" doc:"Of the model's call." example:"0.812"`
	Usage            CompletionUsed `json:"usage"`
	Error            string         `json:"error" doc:"Why there is no insight; empty when there is one."`
	CreatedAt        time.Time      `json:"created_at"`
	Prompt           *[]ChatSaid    `json:"prompt,omitempty" doc:"With echo: what the model was sent."`
}

// InsightOf renders an insight.
func InsightOf(s *insight.State) Insight {
	return Insight{ID: s.ID, Actions: strings.Join(s.Actions, ","), Client: s.Client, Argument: s.Found.Argument, ArgumentContent: s.ArgumentContent,
		ArgumentThinking: s.ArgumentThinking, BestChannel: s.BestChannel, BestTime: s.BestTime, Timeliness: s.Timeliness, Insight: s.Insight,
		Thinking: s.Thinking, Type: s.Type, FinishReason: s.FinishReason, Model: s.Model, Elapsed: float64(s.DurationMS) / 1000,
		Usage: usedOf(s.Usage), Error: s.Error, CreatedAt: s.CreatedAt}
}
