package mem0

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"strata/domain"
	"strata/domain/memory"
	"strata/internal/outbound"
)

const (
	maxAnswer = 16 << 20 // bytes
	maxSaid   = 300      // of what mem0 says about an error, in bytes
)

// NewClient makes a client whose connections a guard permits. It follows no
// redirects: the API key is meant for one host.
func NewClient(guard *outbound.Guard) *http.Client {
	return &http.Client{Transport: guard.Transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// do makes a request and reads its answer, within the provider's time. A nil body
// sends none.
func (p *Provider) do(ctx context.Context, method, path string, body any) ([]byte, error) {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(p.URL, "/")+path, bytes.NewReader(sent))
	if err != nil {
		return nil, domain.Errorf(domain.CodeUnavailable, "the memory provider %q has no proper URL", p.Name).Because(err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case p.Key == "":
	case p.Server:
		req.Header.Set("X-API-Key", p.Key)
	default:
		req.Header.Set("Authorization", "Token "+p.Key)
	}
	res, err := p.Client.Do(req)
	if err != nil {
		return nil, p.unreached(ctx, err)
	}
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, p.unreached(ctx, err)
	}
	if len(answer) > maxAnswer {
		return nil, domain.Errorf(domain.CodeAIService, "the memory provider %q answers more than %d bytes", p.Name, maxAnswer)
	}
	if res.StatusCode < 200 || res.StatusCode >= 300 {
		return nil, p.refused(res.StatusCode, answer)
	}
	return answer, nil
}

// unreached says why there was no answer.
func (p *Provider) unreached(ctx context.Context, err error) error {
	if _, blocked := errors.AsType[*outbound.Blocked](err); blocked {
		return domain.Errorf(domain.CodeForbidden, "the memory provider %q may not be called: %s", p.Name, outbound.Reason(err)).Because(err)
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return domain.Errorf(domain.CodeTimeout, "the memory provider %q did not answer in time", p.Name).Because(err)
	}
	return domain.Errorf(domain.CodeUnavailable, "the memory provider %q cannot be reached: %s", p.Name, outbound.Reason(err)).Because(err)
}

// refused turns an answer that is an error into ours.
func (p *Provider) refused(status int, answer []byte) error {
	said := ""
	if text := saidIn(answer); text != "" {
		said = ": " + text
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return domain.Errorf(domain.CodeAIService, "the memory provider %q does not accept the API key it is configured with (HTTP %d)", p.Name, status)
	case status == http.StatusTooManyRequests:
		return domain.Errorf(domain.CodeRateLimited, "the memory provider %q takes no more requests now%s", p.Name, said)
	case status == http.StatusRequestEntityTooLarge:
		return domain.Errorf(domain.CodePayloadTooLarge, "this is more than the memory provider %q takes%s", p.Name, said)
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
		return domain.Errorf(domain.CodeInvalidRequest, "the memory provider %q refuses it%s", p.Name, said)
	}
	return domain.Errorf(domain.CodeAIService, "the memory provider %q answers %d%s", p.Name, status, said).Because(answered(status))
}

// answered is the cause of an error: the status that mem0 answered.
type answered int

func (a answered) Error() string { return "HTTP " + strconv.Itoa(int(a)) }

// missing is what an error means of one memory: that it is not there, if that is what
// was answered. Of a whole API the same answer says that its URL is wrong.
func missing(err error, id string) error {
	if status, ok := errors.AsType[answered](err); ok && status == http.StatusNotFound {
		return domain.NotFound(memory.Aggregate.Noun, id).Because(err)
	}
	return err
}

// saidIn finds what mem0 says about an error, if it is in one of its shapes.
func saidIn(answer []byte) string {
	var shapes struct {
		Detail, Error, Message json.RawMessage
		Details                struct{ Message string }
	}
	if json.Unmarshal(answer, &shapes) != nil {
		return ""
	}
	said := shapes.Details.Message
	for _, raw := range []json.RawMessage{shapes.Detail, shapes.Message, shapes.Error} {
		var text string
		if said == "" && json.Unmarshal(raw, &text) == nil {
			said = text
		}
	}
	if len(said) > maxSaid {
		said = strings.ToValidUTF8(said[:maxSaid], "")
	}
	return said
}

// pollEvery is how often an addition that mem0 does later is asked after at first.
const pollEvery = 100 * time.Millisecond

// done waits for an addition that mem0 does later and answers with what came of it.
func (p *Provider) done(ctx context.Context, event string) ([]record, error) {
	for wait := pollEvery; ; wait = min(2*wait, 2*time.Second) {
		select {
		case <-ctx.Done():
			return nil, p.unreached(ctx, ctx.Err())
		case <-time.After(wait):
		}
		body, err := p.do(ctx, http.MethodGet, "/v1/event/"+escaped(event)+"/", nil)
		if err != nil {
			return nil, err
		}
		var state struct {
			Status  string   `json:"status"`
			Results []record `json:"results"`
		}
		if err := json.Unmarshal(body, &state); err != nil {
			return nil, p.nonsense(err)
		}
		switch state.Status {
		case "SUCCEEDED":
			return state.Results, nil
		case "FAILED":
			return nil, domain.Errorf(domain.CodeAIService, "the memory provider %q failed to keep it", p.Name)
		}
	}
}

func (p *Provider) nonsense(err error) error {
	return domain.Errorf(domain.CodeAIService, "the memory provider %q gave an answer that cannot be understood", p.Name).Because(err)
}
