package knowledge

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/knowledge"
	"strata/gateway"
	"strata/internal/httpx"
)

// generateInput asks a RAG endpoint.
type generateInput struct {
	Endpoint string `path:"endpoint"`
	Body     struct {
		Query     string          `json:"query" required:"true" minLength:"1" maxLength:"8000" example:"How long does a refund take?"`
		TopK      int             `json:"top_k" minimum:"1" maximum:"50" doc:"How many pieces the model is shown; the endpoint's when absent." example:"5"`
		Filter    json.RawMessage `json:"filter" doc:"On documents' metadata, as in searches." example:"{\"lang\":\"en\"}"`
		Model     string          `json:"model" maxLength:"200" doc:"Writes this answer in place of the endpoint's." example:"strata/extract-1"`
		Stream    bool            `json:"stream" default:"false" doc:"Answer with server-sent events: start, token…, end."`
		SessionID string          `json:"session_id" maxLength:"200" doc:"Uid of a session: what was said in it is shown to the model, question and answer are added to it."`
	}
}

// generated is an answer with its sources.
type generated struct {
	ID        string     `json:"id" example:"rgn_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Answer    string     `json:"answer" example:"A refund takes five working days. [1]"`
	Citations []citation `json:"citations" doc:"The sources that the answer names, or quotes; none when it stands on none."`
	Usage     usage      `json:"usage"`
}

type usage struct {
	PromptTokens     int64  `json:"prompt_tokens" example:"240"`
	CompletionTokens int64  `json:"completion_tokens" example:"12"`
	TotalTokens      int64  `json:"total_tokens" example:"252"`
	Model            string `json:"model" doc:"Who answered; empty when no model was asked." example:"strata/extract-1"`
}

// citation is a source of an answer.
type citation struct {
	Index        int      `json:"index" doc:"Its number in the answer: [1]." example:"1"`
	DocumentID   string   `json:"document_id" example:"doc_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	DocumentName string   `json:"document_name" example:"refunds.md"`
	DatasetID    string   `json:"dataset_id" example:"kb_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	ChunkID      string   `json:"chunk_id" example:"doc_01jk2m3n4p5q6r7s8t9v0w1x2y.0"`
	Page         int      `json:"page,omitempty" example:"3"`
	Headings     []string `json:"headings,omitempty" example:"[\"Refunds\"]"`
	Content      string   `json:"content" doc:"The piece of the document." example:"A refund takes five working days. Nobody pays for it."`
	Quote        string   `json:"quote,omitempty" doc:"The sentence of it that is nearest to the answer." example:"A refund takes five working days."`
	Score        float64  `json:"score" doc:"How well it fits the question." example:"0.83"`
}

// instructions are what a model is told unless the endpoint says otherwise.
const instructions = "Use the numbered sources only. Name the source of each statement by its number in brackets, like [1]. " +
	"If the sources do not hold it, say so."

// nothingFound is the honest answer when there is no source: no model is asked.
const nothingFound = "I found nothing about that in the knowledge bases."

// historyShown is how many earlier messages of a session the model is shown.
const historyShown = 20

func (s *Service) generation(r *httpx.Router) {
	httpx.Stream(r, httpx.Op{
		ID: "generateWithRAG", Method: http.MethodPost, Path: "/rag/{endpoint}/generate", Mount: httpx.V1, Tag: "Knowledge",
		Summary: "Generate with RAG",
		Description: "Finds what the endpoint's knowledge bases say about a question and has a model answer from it, naming its sources. As a whole, or with " +
			"stream=true as server-sent events: `{\"type\":\"start\",\"id\"}`, `{\"type\":\"token\",\"content\"}` repeated, " +
			"`{\"type\":\"end\",\"id\",\"citations\",\"usage\"}`, or `{\"type\":\"error\",\"error\":{\"code\",\"message\"}}`. " +
			"Where nothing fits, the answer says so and has no citations.",
		Permission: "models:invoke", Reads: readModel, Streaming: true,
	}, s.generate)
}

// generating is a question being answered.
type generating struct {
	id        string
	principal domain.Principal
	model     string
	query     string
	endpoint  catalogue.RAGEndpoint
	sources   []knowledge.Found
	talk      *talk // the session; nil: none
}

func (s *Service) generate(w http.ResponseWriter, r *http.Request, in *generateInput) (*httpx.Reply[generated], error) {
	ctx := r.Context()
	g, err := s.prepare(ctx, in)
	if err != nil {
		return nil, err
	}
	if !in.Body.Stream {
		out, err := s.answer(ctx, g, nil)
		if err != nil {
			return nil, err
		}
		return &httpx.Reply[generated]{Body: *out}, nil
	}
	frames := newFrames(w)
	out, err := s.answer(ctx, g, func(text string) error {
		if err := frames.start(g.id); err != nil {
			return err
		}
		return frames.send(frame{Type: "token", Content: &text})
	})
	if err == nil {
		if err = frames.start(g.id); err == nil {
			return nil, frames.send(frame{Type: "end", ID: g.id, Citations: out.Citations, Usage: &out.Usage})
		}
	}
	if !frames.begun {
		return nil, err
	}
	return nil, frames.fail(err)
}

// prepare finds the endpoint, the session and the sources.
func (s *Service) prepare(ctx context.Context, in *generateInput) (*generating, error) {
	g := &generating{id: domain.NewID("rgn"), principal: httpx.From(ctx).Principal, query: in.Body.Query}
	id, err := s.Resources.Resolve(ctx, catalogue.RAGEndpoints, g.principal, in.Endpoint)
	if err != nil {
		return nil, err
	}
	doc, err := s.Resources.Load(ctx, catalogue.RAGEndpoints, g.principal, id)
	if err != nil {
		return nil, err
	}
	if g.endpoint, err = domain.Decode[catalogue.RAGEndpoint](doc.Resource.Doc); err != nil {
		return nil, err
	}
	if !g.endpoint.Enabled {
		return nil, domain.Errorf(domain.CodeConflict, "the RAG endpoint %q is switched off", g.endpoint.Name)
	}
	g.model = cmp.Or(in.Body.Model, g.endpoint.Model)
	if in.Body.SessionID != "" {
		if g.talk, err = s.join(ctx, g.principal, in.Body.SessionID); err != nil {
			return nil, err
		}
	}
	g.sources, err = s.Library.Find(ctx, g.principal, knowledge.Question{Bases: g.endpoint.DatasetIDs, Query: g.query, Filter: in.Body.Filter,
		MinScore: g.endpoint.ScoreThreshold, Limit: cmp.Or(in.Body.TopK, g.endpoint.TopK)})
	return g, err
}

// answer has a model answer from the sources, and adds what was said to the session.
// sink may be nil: then the model answers as a whole.
func (s *Service) answer(ctx context.Context, g *generating, sink func(string) error) (*generated, error) {
	if err := s.say(ctx, g, "user", g.query, nil); err != nil {
		return nil, err
	}
	out := &generated{ID: g.id, Answer: nothingFound, Citations: []citation{}}
	if len(g.sources) > 0 {
		text, outcome, err := s.ask(ctx, g, sink)
		if err != nil {
			return nil, err
		}
		u := outcome.Usage
		out.Answer, out.Citations = text, cite(text, g.sources)
		out.Usage = usage{PromptTokens: u.InputTokens, CompletionTokens: u.OutputTokens, TotalTokens: u.InputTokens + u.OutputTokens, Model: outcome.Model}
	} else if sink != nil {
		if err := sink(out.Answer); err != nil {
			return nil, err
		}
	}
	return out, s.say(context.WithoutCancel(ctx), g, "assistant", out.Answer, out.Citations)
}

func (s *Service) ask(ctx context.Context, g *generating, sink func(string) error) (string, gateway.Outcome, error) {
	req, err := gateway.NewChat(gateway.ChatParams{Model: g.model, Temperature: g.endpoint.Temperature, Messages: g.messages()})
	if err != nil {
		return "", gateway.Outcome{}, err
	}
	call := s.call(ctx, g.principal, g.session())
	if sink == nil {
		res, err := s.Gateway.Chat(ctx, call, req)
		if err != nil {
			return "", gateway.Outcome{}, err
		}
		return res.Text, res.Outcome, nil
	}
	res, err := s.Gateway.ChatStream(ctx, call, req, func(c gateway.Chunk) error {
		if c.Text == "" {
			return nil
		}
		return sink(c.Text)
	})
	if err != nil {
		return "", gateway.Outcome{}, err
	}
	return res.Text, res.Outcome, nil
}

// call says on whose behalf a model is called.
func (s *Service) call(ctx context.Context, p domain.Principal, session string) gateway.Call {
	r := httpx.From(ctx)
	return gateway.Call{Organization: p.Organization, Workspace: p.Workspace, User: p.UserID, APIKey: p.KeyID, App: p.AppID, Session: session,
		RequestID: r.ID, CorrelationID: r.CorrelationID, RecordPayload: s.RecordPayloads}
}

// messages are what the model is shown: instructions, sources, what was said, and
// the question.
func (g *generating) messages() []gateway.Message {
	list := []gateway.Message{{Role: "system", Content: cmp.Or(g.endpoint.SystemPrompt, instructions) + "\n\n" + knowledge.Numbered(g.sources)}}
	if g.talk != nil {
		list = append(list, g.talk.history...)
	}
	return append(list, gateway.Message{Role: "user", Content: g.query})
}
