package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"strata/domain"
	"strata/gateway/upstream"
)

// Parameters of the errors this package returns (domain.Error.Params).
const (
	ParamField      = "param"       // request field at fault, for OpenAI's "param"
	ParamReason     = "reason"      // OpenAI's "code", where it is more exact than ours
	ParamRetryAfter = "retry_after" // whole seconds to wait
	ParamProvider   = "provider"    // name of the provider that failed
)

// Values of ParamReason.
const reasonModelNotFound = "model_not_found"

// StatusClientGone is recorded for calls whose client left before any answer.
const StatusClientGone = 499

func modelNotFound(model string) *domain.Error {
	return domain.Errorf(domain.CodeNotFound, "the model %q does not exist or you do not have access to it", model).
		With(ParamField, "model").With(ParamReason, reasonModelNotFound)
}

// providerError says in our words why a candidate did not answer.
func providerError(c *candidate, f *upstream.Failure) *domain.Error {
	return describe(c, f).With(ParamProvider, c.provider).Because(f)
}

func describe(c *candidate, f *upstream.Failure) *domain.Error {
	said := ""
	if f.Message != "" {
		said = ": " + f.Message
	}
	switch f.Kind {
	case upstream.Refused:
		return refusal(c, f)
	case upstream.NotFound:
		return domain.Errorf(domain.CodeNotFound, "the provider %q has no model %q%s", c.provider, c.model, said).
			With(ParamField, "model").With(ParamReason, reasonModelNotFound)
	case upstream.Credentials:
		return domain.Errorf(domain.CodeAIService, "the provider %q does not accept the API key it is configured with", c.provider)
	case upstream.RateLimited:
		err := domain.Errorf(domain.CodeRateLimited, "the provider %q takes no more requests now%s", c.provider, said)
		if f.RetryAfter > 0 {
			err = err.With(ParamRetryAfter, seconds(f.RetryAfter))
		}
		return err
	case upstream.TimedOut:
		return domain.Errorf(domain.CodeAIService, "the provider %q did not answer in time", c.provider)
	case upstream.Malformed:
		return domain.Errorf(domain.CodeAIService, "the provider %q gave an answer that cannot be understood", c.provider)
	}
	if f.Status != 0 {
		return domain.Errorf(domain.CodeAIService, "the provider %q failed with status %d%s", c.provider, f.Status, said)
	}
	if said != "" {
		return domain.Errorf(domain.CodeAIService, "the provider %q failed%s", c.provider, said)
	}
	return domain.Errorf(domain.CodeAIService, "the provider %q cannot be reached or broke the connection", c.provider)
}

// refusal passes on what a provider finds wrong with the request.
func refusal(c *candidate, f *upstream.Failure) *domain.Error {
	code := domain.CodeInvalidRequest
	if f.Status == http.StatusRequestEntityTooLarge {
		code = domain.CodePayloadTooLarge
	}
	message := f.Message
	if message == "" {
		message = fmt.Sprintf("the provider %q refused the request with status %d", c.provider, f.Status)
	}
	err := domain.Errorf(code, "%s", message)
	if f.Param != "" {
		err = err.With(ParamField, f.Param)
	}
	if f.Code != "" {
		err = err.With(ParamReason, f.Code)
	}
	return err
}

// breakerOpen is why a candidate was not even asked.
func breakerOpen(c *candidate, again time.Duration) *domain.Error {
	return domain.Errorf(domain.CodeAIService, "the provider %q failed repeatedly and is left alone for a while", c.provider).
		With(ParamProvider, c.provider).With(ParamRetryAfter, seconds(again))
}

func seconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// gone tells whether the caller has gone away, and the error that says so.
func gone(ctx context.Context) error {
	err := ctx.Err()
	if errors.Is(err, context.DeadlineExceeded) {
		return domain.Errorf(domain.CodeTimeout, "the call did not finish in time").Because(err)
	}
	if err != nil {
		return fmt.Errorf("the client went away: %w", context.Canceled)
	}
	return nil
}
