package httpx

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"strata/domain"
)

// statusClientGone is logged for a request whose client left before the answer.
const statusClientGone = 499

// publicError turns any error into the one that callers may see.
func publicError(err error) *domain.Error {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return bodyTooLarge(tooLarge.Limit)
	case errors.Is(err, context.DeadlineExceeded):
		return domain.Errorf(domain.CodeTimeout, "the request took too long")
	case errors.Is(err, context.Canceled):
		return domain.Errorf(domain.CodeUnavailable, "the request was cancelled")
	}
	return domain.Errorf(domain.CodeInternal, "internal error")
}

func bodyTooLarge(limit int64) *domain.Error {
	return domain.Errorf(domain.CodePayloadTooLarge, "the body is larger than %d bytes", limit)
}

// WriteError answers with an error in the format of the request's mount, for
// raw handlers. Errors that are not *domain.Error are answered as "internal
// error" and logged in full. After the first byte of an answer it only logs.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	if x := exchangeOf(r.Context()); x != nil && x.table != nil {
		x.fail(err)
		return
	}
	e := publicError(err)
	buf := getBuffer()
	defer putBuffer(buf)
	buf.error(V1, e, "", time.Time{})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.Code.HTTPStatus())
	_, _ = w.Write(buf.b) // the client is gone: nobody is left to tell
}

// fail answers with an error.
func (x *exchange) fail(err error) {
	x.err = err
	if x.wrote || x.hijacked {
		return
	}
	if errors.Is(err, context.Canceled) && x.r.Context().Err() != nil {
		x.status = statusClientGone
		return
	}
	e := publicError(err)
	if x.op != nil && x.op.in != nil && len(e.Fields) > 0 {
		e = x.op.in.spellFields(e, x.Mount.Camel)
	}
	h := x.Header()
	switch e.Code {
	case domain.CodeUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="strata"`)
	case domain.CodeConflict:
		if revision, ok := e.Params["revision"].(domain.Revision); ok {
			h.Set("ETag", etag(revision))
		}
	case domain.CodePayloadTooLarge:
		h.Set("Connection", "close") // the rest of the body is not worth reading
	}
	if seconds, ok := retryAfter(e.Params["retry_after"]); ok {
		h.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	h.Set("Content-Type", "application/json")
	buf := getBuffer()
	defer putBuffer(buf)
	buf.error(x.Mount, e, x.ID, x.table.opts.Now())
	x.send(e.Code.HTTPStatus(), buf.b)
}

// retryAfter reads the parameter in whole seconds, rounded up.
func retryAfter(value any) (int64, bool) {
	var seconds float64
	switch v := value.(type) {
	case time.Duration:
		seconds = v.Seconds()
	case int:
		seconds = float64(v)
	case int64:
		seconds = float64(v)
	case float64:
		seconds = v
	default:
		return 0, false
	}
	return int64(math.Ceil(max(seconds, 0))), true
}

// envelopedError is FastGPT's error object.
type envelopedError struct {
	Code    domain.Code         `json:"code"`
	Message string              `json:"message"`
	Details []domain.FieldError `json:"details"`
	Params  map[string]any      `json:"params,omitempty"`
}

// plainError is the error of the plain mount.
type plainError struct {
	Error     string              `json:"error"`
	Code      domain.Code         `json:"code"`
	Details   []domain.FieldError `json:"details"`
	Params    map[string]any      `json:"params,omitempty"`
	RequestID string              `json:"request_id,omitempty"`
}

// openAIError is what OpenAI's clients understand.
type openAIError struct {
	Message string `json:"message"`
	Type    string `json:"type"`
	Param   any    `json:"param"`
	Code    any    `json:"code"`
}

// error appends an error in a mount's format.
func (b *buffer) error(m *Mount, e *domain.Error, requestID string, now time.Time) {
	switch {
	case m.OpenAI:
		b.must(map[string]openAIError{"error": newOpenAIError(e)})
	case m.Envelope:
		b.b = append(b.b, `{"success":false,"error":`...)
		b.must(envelopedError{e.Code, e.Message, details(e), shownParams(e, true)})
		b.b = append(b.b, ',')
		b.b = append(appendMeta(b.b, requestID, now), '}')
	default:
		b.must(plainError{e.Message, e.Code, details(e), shownParams(e, m.Camel), requestID})
	}
}

// must encodes what always has a JSON form, but for a parameter that somebody
// put into an error: then the answer says so rather than being lost.
func (b *buffer) must(v any) {
	if err := b.encode(v); err != nil {
		b.b = append(b.b, strconv.Quote("unprintable: "+err.Error())...)
	}
}

func details(e *domain.Error) []domain.FieldError {
	if e.Fields == nil {
		return []domain.FieldError{}
	}
	return e.Fields
}

// shownParams are the parameters of an error for its body: a current revision,
// the seconds to wait.
func shownParams(e *domain.Error, camel bool) map[string]any {
	if len(e.Params) == 0 {
		return nil
	}
	out := make(map[string]any, len(e.Params))
	for key, value := range e.Params {
		if strings.HasPrefix(key, "openai_") {
			continue
		}
		if d, ok := value.(time.Duration); ok {
			value, _ = retryAfter(d)
		}
		out[spell(key, camel)] = value
	}
	return out
}

// newOpenAIError fills OpenAI's error object. The parameters openai_code and
// openai_param override what the code implies.
func newOpenAIError(e *domain.Error) openAIError {
	kind, code := "invalid_request_error", any(strings.ToLower(string(e.Code)))
	message := e.Message
	var param any
	if len(e.Fields) > 0 {
		param = e.Fields[0].Field
		parts := make([]string, len(e.Fields))
		for i, f := range e.Fields {
			parts[i] = f.Field + " " + f.Message
		}
		message = fmt.Sprintf("%s: %s", e.Message, strings.Join(parts, "; "))
	}
	switch e.Code {
	case domain.CodeUnauthorized:
		kind, code = "authentication_error", "invalid_api_key"
	case domain.CodeForbidden:
		kind = "permission_error"
	case domain.CodeRateLimited:
		kind = "rate_limit_error"
	case domain.CodeQuotaExceeded:
		kind, code = "insufficient_quota", "insufficient_quota"
	default:
		if e.Code.HTTPStatus() >= http.StatusInternalServerError {
			kind = "server_error"
		}
	}
	if c, ok := e.Params["openai_code"]; ok {
		code = c
	}
	if p, ok := e.Params["openai_param"]; ok {
		param = p
	}
	return openAIError{message, kind, param, code}
}
