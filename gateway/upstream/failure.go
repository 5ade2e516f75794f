package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// networkFailure says what an error of the connection means.
func (c *Client) networkFailure(w *watchdog, err error) *Failure {
	cause := context.Cause(w.ctx)
	switch {
	case errors.Is(cause, errFirstByte), errors.Is(cause, errIdle):
		return &Failure{Kind: TimedOut, Cause: cause}
	case errors.Is(cause, context.DeadlineExceeded):
		return &Failure{Kind: TimedOut, Cause: err}
	case cause != nil:
		return &Failure{Kind: Cancelled, Cause: err}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return &Failure{Kind: TimedOut, Cause: err}
	}
	return &Failure{Kind: Unavailable, Cause: err}
}

// statusFailure says what an answer other than 200 means.
func (c *Client) statusFailure(w *watchdog, resp *http.Response) *Failure {
	f := &Failure{Kind: kindOf(resp.StatusCode), Status: resp.StatusCode}
	f.RetryAfter = retryAfter(resp.Header, time.Now)
	text, err := io.ReadAll(io.LimitReader(w.reader(resp.Body), maxErrorAnswer))
	if err != nil { // the status alone says enough
		f.Cause = err
		return f
	}
	c.describe(f, text)
	return f
}

func kindOf(status int) Kind {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return Credentials
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusTooManyRequests:
		return RateLimited
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly, status >= 500:
		return Unavailable
	case status >= 400:
		return Refused
	}
	return Malformed // 1xx, 3xx and other 2xx: not an API of this kind
}

// describe fills in the provider's own words. Those of a provider that does not
// accept our key are left out: they tend to quote it.
func (c *Client) describe(f *Failure, text []byte) {
	if f.Kind == Credentials {
		return
	}
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	var detail struct {
		Message string          `json:"message"`
		Param   *string         `json:"param"`
		Code    json.RawMessage `json:"code"`
		Type    string          `json:"type"`
	}
	if json.Unmarshal(text, &answer) != nil || len(answer.Error) == 0 {
		return // not OpenAI's shape: a proxy's page, which helps nobody
	}
	if json.Unmarshal(answer.Error, &detail.Message) != nil { // {"error":"text"} is common too
		// A detail of another shape leaves its field empty; the rest still helps.
		_ = json.Unmarshal(answer.Error, &detail)
	}
	f.Message = c.scrub(detail.Message)
	if detail.Param != nil {
		f.Param = *detail.Param
	}
	if json.Unmarshal(detail.Code, &f.Code) != nil {
		f.Code = detail.Type // numbers as codes say nothing the status does not
	}
}

// scrub removes our key from a provider's words, and keeps them short.
func (c *Client) scrub(text string) string {
	if c.endpoint.APIKey != "" {
		text = strings.ReplaceAll(text, c.endpoint.APIKey, "***")
	}
	for _, secret := range c.endpoint.Headers {
		if len(secret) >= 8 {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	if len(text) > 1000 {
		text = strings.ToValidUTF8(text[:1000], "") + "…"
	}
	return text
}

// retryAfter reads Retry-After (seconds or a date) and its millisecond variant.
func retryAfter(h http.Header, now func() time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil && ms >= 0 && ms < 1e9 {
		return time.Duration(ms * float64(time.Millisecond))
	}
	value := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(value, 64); err == nil && s >= 0 && s < 1e6 {
		return time.Duration(s * float64(time.Second))
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now()))
	}
	return 0
}
