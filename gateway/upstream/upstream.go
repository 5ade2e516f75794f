// Package upstream speaks with model providers. Every provider, remote or built
// in, is a [Backend]: it takes a request body in OpenAI's wire format with its
// own model name in it and gives OpenAI's wire format back. What goes wrong is a
// [Failure], which says whether trying again, or elsewhere, makes sense.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Operation is what is asked of a model.
type Operation string

// The operations a backend knows, named by their path in OpenAI's API.
const (
	Chat       Operation = "chat/completions"
	Embeddings Operation = "embeddings"
)

// Backend is a model provider. Implementations are safe for concurrent use;
// their errors are *Failure.
type Backend interface {
	// Do sends a request that is answered as a whole and returns the answer: a
	// valid JSON object.
	Do(ctx context.Context, op Operation, model string, body []byte) ([]byte, error)

	// Stream sends a chat request whose answer comes in frames. It returns when
	// the provider has accepted the request.
	Stream(ctx context.Context, model string, body []byte) (Stream, error)

	// Models lists the names of the models the provider offers.
	Models(ctx context.Context) ([]string, error)
}

// Stream is an answer in frames. It has one reader and must be closed.
type Stream interface {
	// Next returns the next frame, a valid JSON object, which stays valid until
	// the following call. It returns io.EOF after the provider's end mark,
	// ErrNoEndMark when the stream ended in good order but without one, and a
	// *Failure when it broke.
	Next() ([]byte, error)
	Close() error
}

// ErrNoEndMark: the provider closed the stream without "[DONE]". Whether the
// answer is complete shows in what came before.
var ErrNoEndMark = errors.New("the stream ended without its end mark")

// Kind classifies a failure.
type Kind int

// The kinds of failure.
const (
	Refused     Kind = iota + 1 // the request itself is wrong (400, 413, 422…): no provider will take it
	NotFound                    // the provider has no such model
	Credentials                 // the provider does not accept our key
	RateLimited                 // 429
	Unavailable                 // 5xx, cannot connect, connection broke
	TimedOut                    // no answer in time
	Malformed                   // an answer that is not what was agreed
	Cancelled                   // our caller gave up
)

// Failure is why a provider did not answer.
type Failure struct {
	Kind       Kind
	Status     int           // HTTP status of the provider, 0 when there was none
	Message    string        // the provider's own words, without our key; may be ""
	Param      string        // the parameter the provider finds fault with
	Code       string        // the provider's error code
	RetryAfter time.Duration // how long the provider asks to wait; 0 = not said
	Cause      error
}

// Error implements error. The text is for logs.
func (f *Failure) Error() string {
	text := f.Message
	if text == "" && f.Cause != nil {
		text = f.Cause.Error()
	}
	if f.Status != 0 {
		return fmt.Sprintf("provider answered %d: %s", f.Status, text)
	}
	return "provider failed: " + text
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// Again tells whether the same provider may well answer if asked again.
func (f *Failure) Again() bool {
	switch f.Kind {
	case RateLimited:
		return f.Code != "insufficient_quota" // waiting does not pay a bill
	case Unavailable, TimedOut, Malformed:
		return true
	}
	return false
}

// Elsewhere tells whether another provider may answer where this one did not.
func (f *Failure) Elsewhere() bool { return f.Kind != Refused && f.Kind != Cancelled }

// Sick tells whether the failure speaks against the provider's health, which is
// what a circuit breaker counts. A refusal, of whatever sort, is an answer.
func (f *Failure) Sick() bool {
	return f.Kind == Unavailable || f.Kind == TimedOut || f.Kind == Malformed
}

// AsFailure returns err as a failure; one that is none becomes Unavailable.
func AsFailure(err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	return &Failure{Kind: Unavailable, Cause: err}
}
