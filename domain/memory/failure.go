package memory

import "strata/domain"

// EmbeddingFailed says that a text could not be embedded, and why: the memory is
// found by its words alone until a later try succeeds. A try that fails for the same
// reason as the one before is no news, and no fact.
type EmbeddingFailed struct {
	Of      string      `json:"of"` // the text, see [Fingerprint]
	Model   string      `json:"model"`
	Code    domain.Code `json:"code"`
	Reason  string      `json:"reason"`            // in words fit for callers
	Subject string      `json:"subject,omitempty"` // whose key seals this fact
}

// EventType implements domain.Fact.
func (EmbeddingFailed) EventType() string { return "memory_vector.failed.v1" }

// DataSubject implements domain.PersonalFact.
func (f EmbeddingFailed) DataSubject() string { return f.Subject }

// Passing tells whether a failure passes by itself: a model that was away or took no
// more calls. Others last until somebody changes something: the budget, the
// provider, the text.
func Passing(code domain.Code) bool {
	switch code {
	case domain.CodeUnavailable, domain.CodeTimeout, domain.CodeRateLimited, domain.CodeAIService, domain.CodeInternal:
		return true
	}
	return false
}

// Fail records why a text has no vector.
type Fail struct{ EmbeddingFailed }

// Decide implements domain.Decider.
func (c Fail) Decide(_ domain.Env, v *Vector) ([]domain.Fact, error) {
	var f domain.Faults
	f.Add(c.Of == "", "of", "is required")
	f.Add(c.Code == "", "code", "is required")
	if err := f.Err(); err != nil {
		return nil, err
	}
	if v.Removed || v.Stands(c.Of, c.Model, c.Subject) || v.Failed == c.EmbeddingFailed {
		return nil, nil
	}
	return []domain.Fact{c.EmbeddingFailed}, nil
}

// Unembedded names a memory whose text could not be embedded when that was last tried.
type Unembedded struct{ Organization, Workspace, ID string }
