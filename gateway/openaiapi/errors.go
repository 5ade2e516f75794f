package openaiapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"strata/domain"
	"strata/gateway"
)

// wireError is an error in OpenAI's shape.
type wireError struct {
	Error struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    *string `json:"code"`
	} `json:"error"`
}

// kinds are OpenAI's type and code for ours; clients choose what to do by them.
var kinds = map[domain.Code][2]string{
	domain.CodeInvalidRequest:   {"invalid_request_error", ""},
	domain.CodeValidation:       {"invalid_request_error", "invalid_value"},
	domain.CodeUnauthorized:     {"authentication_error", "invalid_api_key"},
	domain.CodeForbidden:        {"permission_error", "insufficient_permissions"},
	domain.CodeNotFound:         {"invalid_request_error", "not_found"},
	domain.CodeConflict:         {"invalid_request_error", "conflict"},
	domain.CodeRateLimited:      {"rate_limit_error", "rate_limit_exceeded"},
	domain.CodeQuotaExceeded:    {"insufficient_quota", "insufficient_quota"},
	domain.CodePayloadTooLarge:  {"invalid_request_error", "request_too_large"},
	domain.CodeUnsupportedMedia: {"invalid_request_error", "unsupported_media_type"},
	domain.CodeMethodNotAllowed: {"invalid_request_error", "method_not_allowed"},
	domain.CodeAIService:        {"server_error", "ai_service_error"},
	domain.CodeUnavailable:      {"server_error", "service_unavailable"},
	domain.CodeTimeout:          {"server_error", "timeout"},
	domain.CodeInternal:         {"server_error", "internal_error"},
}

// Describe renders an error in OpenAI's shape, with its status. An error that is
// not a *domain.Error says no more than "internal error".
func Describe(err error) (status int, body []byte) {
	e, ok := errors.AsType[*domain.Error](err)
	if !ok || e.Code == domain.CodeInternal {
		e = domain.Errorf(domain.CodeInternal, "internal error")
	}
	kind, known := kinds[e.Code]
	if !known {
		kind = [2]string{"server_error", string(e.Code)}
	}
	var out wireError
	out.Error.Message, out.Error.Type = message(e), kind[0]
	out.Error.Code = text(e.Params[gateway.ParamReason], kind[1])
	field := ""
	if len(e.Fields) > 0 {
		field = e.Fields[0].Field
	}
	out.Error.Param = text(e.Params[gateway.ParamField], field)
	body, err = json.Marshal(out)
	if err != nil { // texts always marshal
		body = []byte(`{"error":{"message":"internal error","type":"server_error","param":null,"code":"internal_error"}}`)
	}
	return e.Code.HTTPStatus(), body
}

// message is one sentence that names every fault: OpenAI's shape has room for one
// parameter only.
func message(e *domain.Error) string {
	shown := *e
	return shown.Because(nil).Error()
}

// text returns the first that says something, nil when none does.
func text(value any, otherwise string) *string {
	if value != nil {
		otherwise = fmt.Sprint(value)
	}
	if otherwise == "" {
		return nil
	}
	return &otherwise
}

// WriteError answers with an error in OpenAI's shape. Whatever stands before the
// handlers (authentication, rate limits) answers with it too.
func WriteError(w http.ResponseWriter, err error) error {
	status, body := Describe(err)
	h := w.Header()
	h.Set("Content-Type", "application/json")
	if e, ok := errors.AsType[*domain.Error](err); ok {
		if after, ok := e.Params[gateway.ParamRetryAfter].(int); ok {
			h.Set("Retry-After", strconv.Itoa(after))
		}
		if e.Code == domain.CodeQuotaExceeded {
			// A used-up budget looks like a rate limit by its status; OpenAI's
			// clients would try again, in vain.
			h.Set("X-Should-Retry", "false")
		}
	}
	w.WriteHeader(status)
	_, writeErr := w.Write(body)
	return writeErr
}

// fail answers with an error. Faults of ours are logged in full, as the answer
// does not show them.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch domain.CodeOf(err) {
	case domain.CodeInternal, domain.CodeUnavailable:
		if r.Context().Err() == nil {
			a.Logger.ErrorContext(r.Context(), "a model call failed", "path", r.URL.Path, "error", err)
		}
	}
	a.lost(WriteError(w, err))
}
