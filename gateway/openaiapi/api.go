// Package openaiapi is the gateway's HTTP face: chat completions, embeddings and
// the model list as OpenAI's own clients expect them. It only translates; who
// the caller is, rate limits and the routes it is mounted under come from
// outside.
//
// Beside OpenAI's fields it reads three headers for the record of the call:
//
//	Strata-Tags        labels, separated by commas
//	Strata-Session     the session the call belongs to
//	X-Correlation-Id   what ties several calls together
//
// and it answers with X-Request-Id, Strata-Inference-Id (the call's record) and
// Strata-Model (the provider and model that answered).
package openaiapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"strata/domain"
	"strata/gateway"
)

// Config wires the API. Gateway and Call are required.
type Config struct {
	Gateway *gateway.Gateway
	// Call tells on whose behalf a request is made. Its errors are answered as
	// they are.
	Call func(r *http.Request) (gateway.Call, error)

	MaxBody   int64         // bytes of a request body; default 10 MiB
	KeepAlive time.Duration // silence in a stream before a comment is sent; default 15 s
	Logger    *slog.Logger  // default: discards
}

// API holds the handlers.
type API struct{ Config }

// New returns the API.
func New(c Config) (*API, error) {
	if c.Gateway == nil || c.Call == nil {
		return nil, errors.New("openaiapi: Gateway and Call are required")
	}
	if c.MaxBody <= 0 {
		c.MaxBody = 10 << 20
	}
	if c.KeepAlive <= 0 {
		c.KeepAlive = 15 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &API{c}, nil
}

// Route is one operation, to be mounted below a prefix.
type Route struct {
	Method  string
	Path    string // a "{model_id}" at its end matches the rest of the path, slashes included
	Summary string
	Handler http.HandlerFunc
}

// Routes lists the operations.
func (a *API) Routes() []Route {
	return []Route{
		{http.MethodPost, "/chat/completions", "Chat completions, whole or streamed", a.ChatCompletions},
		{http.MethodPost, "/embeddings", "Generate embeddings", a.Embeddings},
		{http.MethodGet, "/models", "List available models", a.Models},
		{http.MethodGet, "/models/{model_id}", "Get model details", a.Model},
	}
}

// ChatCompletions handles POST chat/completions.
func (a *API) ChatCompletions(w http.ResponseWriter, r *http.Request) {
	call, body, ok := a.begin(w, r)
	if !ok {
		return
	}
	req, err := gateway.ParseChat(body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if req.Stream {
		a.stream(w, r, call, req)
		return
	}
	answer, err := a.Gateway.Chat(r.Context(), call, req)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, &answer.Outcome, answer.Body)
}

// Embeddings handles POST embeddings.
func (a *API) Embeddings(w http.ResponseWriter, r *http.Request) {
	call, body, ok := a.begin(w, r)
	if !ok {
		return
	}
	req, err := gateway.ParseEmbed(body)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	answer, err := a.Gateway.Embed(r.Context(), call, req)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.answer(w, &answer.Outcome, answer.Body)
}

// model is an entry of the list in OpenAI's shape.
type model struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
}

func wire(m gateway.Model) model { return model{m.ID, "model", m.Created, m.OwnedBy} }

// Models handles GET models.
func (a *API) Models(w http.ResponseWriter, r *http.Request) {
	call, err := a.call(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	list, err := a.Gateway.Models(r.Context(), call)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	data := make([]model, len(list))
	for i, m := range list {
		data[i] = wire(m)
	}
	a.writeJSON(w, r, struct {
		Object string  `json:"object"`
		Data   []model `json:"data"`
	}{"list", data})
}

// Model handles GET models/{model_id}, where the id may hold slashes.
func (a *API) Model(w http.ResponseWriter, r *http.Request) {
	call, err := a.call(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	_, id, _ := strings.Cut(r.URL.Path, "/models/")
	m, err := a.Gateway.Model(r.Context(), call, id)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.writeJSON(w, r, wire(m))
}

// begin reads what every request with a body needs; not ok means it is answered.
func (a *API) begin(w http.ResponseWriter, r *http.Request) (gateway.Call, []byte, bool) {
	call, err := a.call(w, r)
	if err != nil {
		a.fail(w, r, err)
		return call, nil, false
	}
	body, err := a.readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return call, nil, false
	}
	return call, body, true
}

// call asks who calls and adds what the request's headers say.
func (a *API) call(w http.ResponseWriter, r *http.Request) (gateway.Call, error) {
	call, err := a.Call(r)
	if err != nil {
		return call, err
	}
	if call.RequestID != "" && w.Header().Get("X-Request-Id") == "" {
		w.Header().Set("X-Request-Id", call.RequestID)
	}
	return call, readHeaders(r.Header, &call)
}

// Limits of what headers may put into the record.
const (
	maxTags   = 20
	maxTag    = 64
	maxHeader = 128
)

func readHeaders(h http.Header, call *gateway.Call) error {
	var faults domain.Faults
	for _, tag := range strings.Split(strings.Join(h.Values("Strata-Tags"), ","), ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			faults.Add(len(tag) > maxTag, "Strata-Tags", "holds a tag of over %d bytes", maxTag)
			call.Tags = append(call.Tags, tag)
		}
	}
	faults.Add(len(call.Tags) > maxTags, "Strata-Tags", "holds over %d tags", maxTags)
	take := func(name string, into *string) {
		value := h.Get(name)
		faults.Add(len(value) > maxHeader, name, "is over %d bytes", maxHeader)
		if value != "" && *into == "" {
			*into = value
		}
	}
	take("Strata-Session", &call.Session)
	take("X-Correlation-Id", &call.CorrelationID)
	return faults.Err()
}

// readBody reads the body; one that says it is too long is not even begun.
func (a *API) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > a.MaxBody {
		w.Header().Set("Connection", "close") // the rest will not be read
		return nil, tooLarge(a.MaxBody)
	}
	var buf bytes.Buffer
	if r.ContentLength > 0 {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, a.MaxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge(a.MaxBody)
	}
	if err != nil {
		return nil, domain.Errorf(domain.CodeInvalidRequest, "the request body ended early").Because(err)
	}
	return buf.Bytes(), nil
}

func tooLarge(limit int64) error {
	return domain.Errorf(domain.CodePayloadTooLarge, "the request body is over %d bytes", limit)
}

// answer writes a provider's whole answer.
func (a *API) answer(w http.ResponseWriter, o *gateway.Outcome, body []byte) {
	h := w.Header()
	setOutcome(h, o.ID, o.Model)
	h.Set("Content-Type", "application/json")
	_, err := w.Write(body)
	a.lost(err)
}

func setOutcome(h http.Header, id, model string) {
	h.Set("Strata-Inference-Id", id)
	h.Set("Strata-Model", model)
}

func (a *API) writeJSON(w http.ResponseWriter, r *http.Request, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, err = w.Write(text)
	a.lost(err)
}

// lost notes an answer that could not be delivered. The call itself is over and
// recorded, so there is nothing else to do.
func (a *API) lost(err error) {
	if err != nil && !errors.Is(err, io.ErrClosedPipe) {
		a.Logger.Debug("an answer could not be delivered", "error", err)
	}
}
