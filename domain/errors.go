package domain

import (
	"errors"
	"fmt"
	"strings"
)

// Code classifies an error for a caller; see [Code.HTTPStatus].
type Code string

// The codes of the API conventions (FastGPT's table, plus CONFLICT and the
// transport's own).
const (
	CodeInvalidRequest   Code = "INVALID_REQUEST"     // the request could not be understood
	CodeValidation       Code = "VALIDATION_ERROR"    // understood, but some fields are wrong; see Fields
	CodeUnauthorized     Code = "UNAUTHORIZED"        // no valid credential
	CodeForbidden        Code = "FORBIDDEN"           // a valid credential without the permission
	CodeNotFound         Code = "NOT_FOUND"           // absent, or of another tenant
	CodeGone             Code = "GONE"                // it was about a person who was erased, or its time is over
	CodeConflict         Code = "CONFLICT"            // revision moved on, name taken, wrong state
	CodeRateLimited      Code = "RATE_LIMIT_EXCEEDED" // too many requests; see RetryAfter
	CodeQuotaExceeded    Code = "QUOTA_EXCEEDED"      // a budget or quota refuses
	CodePayloadTooLarge  Code = "PAYLOAD_TOO_LARGE"   // body over the limit
	CodeUnsupportedMedia Code = "UNSUPPORTED_MEDIA"   // content type not accepted
	CodeMethodNotAllowed Code = "METHOD_NOT_ALLOWED"  // path exists, method does not
	CodeWorkflow         Code = "WORKFLOW_ERROR"      // a workflow could not run
	CodeAIService        Code = "AI_SERVICE_ERROR"    // a model provider failed
	CodeUnavailable      Code = "SERVICE_UNAVAILABLE" // a part of Strata cannot serve now; retry
	CodeTimeout          Code = "TIMEOUT"             // did not finish in time
	CodeInternal         Code = "INTERNAL_ERROR"      // a fault of ours; details only in the log
)

// FieldError names one faulty field (dotted path, as the caller wrote it) and
// says what is wrong with it.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error is the one error type that crosses rooms. Any other error is treated
// as internal: logged in full, answered as "internal error".
type Error struct {
	Code    Code
	Message string       // one sentence for a person, safe to show
	Fields  []FieldError // every faulty field, for CodeValidation
	Params  map[string]any
	cause   error
}

// Error implements error.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Message)
	for i, f := range e.Fields {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		b.WriteString(f.Field + " " + f.Message)
	}
	if e.cause != nil {
		b.WriteString(": " + e.cause.Error())
	}
	return b.String()
}

// Unwrap returns the cause, which is never shown to callers.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, ErrNotFound) and the like compare by code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Because attaches the cause of an error for the log.
func (e *Error) Because(cause error) *Error { c := *e; c.cause = cause; return &c }

// With attaches a parameter that transports may show (retry_after, revision…).
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Params = map[string]any{}
	for k, v := range e.Params {
		c.Params[k] = v
	}
	c.Params[key] = value
	return &c
}

// Sentinels for errors.Is.
var (
	ErrNotFound     = &Error{Code: CodeNotFound, Message: "not found"}
	ErrConflict     = &Error{Code: CodeConflict, Message: "conflict"}
	ErrForbidden    = &Error{Code: CodeForbidden, Message: "forbidden"}
	ErrUnauthorized = &Error{Code: CodeUnauthorized, Message: "unauthorized"}
	ErrValidation   = &Error{Code: CodeValidation, Message: "invalid input"}
	ErrQuota        = &Error{Code: CodeQuotaExceeded, Message: "quota exceeded"}
)

// Errorf makes an error of a code with a message safe to show to callers.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotFound says that a resource of a kind ("session") does not exist.
func NotFound(kind, id string) *Error {
	return Errorf(CodeNotFound, "%s %q was not found", kind, id)
}

// Gone says that what a resource held was erased with the person it was about:
// it can be seen that it was there, and it can be deleted, nothing else.
func Gone(kind, id string) *Error {
	return Errorf(CodeGone, "%s %q was erased with the person it was about", kind, id)
}

// CodeOf returns the code of err; an error that is not ours is CodeInternal.
func CodeOf(err error) Code {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// Faults gathers field errors, so that all of them are named at once.
type Faults struct{ fields []FieldError }

// Add records a fault when bad is true.
func (f *Faults) Add(bad bool, field, format string, args ...any) {
	if bad {
		f.fields = append(f.fields, FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
}

// Take adds the faults that a validation error names; nil adds none.
func (f *Faults) Take(err error) {
	if e, ok := errors.AsType[*Error](err); ok {
		f.fields = append(f.fields, e.Fields...)
	}
}

// Err returns a validation error naming every fault, or nil.
func (f *Faults) Err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return &Error{Code: CodeValidation, Message: "invalid input data", Fields: f.fields}
}
