package gateway

import (
	"encoding/json"

	"strata/domain"
	"strata/gateway/pricing"
)

// Call says on whose behalf a model is called, and in what context. Only
// Workspace is required; the rest goes to budgets and into the record.
type Call struct {
	Organization  string
	Workspace     string
	User          string // the caller
	EndUser       string // whom the caller asks for; the request's own "user" when it names one
	APIKey        string // id of the key it came with
	App           string
	Agent         string
	Session       string
	Conversation  string
	RequestID     string
	CorrelationID string
	Type          string // in the record; "chat" or "embedding" when empty
	Tags          []string
	Metadata      map[string]string // the request's own "metadata" is added to it
	RecordPayload bool              // keep what was said
	Subject       string            // whose key encrypts what was said; "" = end user, conversation, user, key or workspace, the first there is
}

// subject never falls back to the session: that may be whatever a client wrote
// into a header, and a key must not be chosen so.
func (c *Call) subject() string {
	for _, s := range []string{c.Subject, c.EndUser, c.Conversation, c.User, c.APIKey} {
		if s != "" {
			return s
		}
	}
	return c.Workspace
}

// Outcome is what is known of a call when it is over.
type Outcome struct {
	ID             string // of the record, inf_…
	Model          string // provider/model that answered
	Provider       string
	Route          string // the model route, if one was used
	Usage          pricing.Usage
	UsageEstimated bool // counted by the gateway: the provider gave no usage
	Cost           domain.Money
	FinishReason   string // of the first choice
	Attempts       int    // requests made to providers
}

// ChatResponse is a whole answer.
type ChatResponse struct {
	Outcome
	Body []byte // the provider's JSON
	Text string // of the first choice
}

// Chunk is one frame of a streamed answer.
type Chunk struct {
	Data  []byte // the provider's JSON; valid until the sink returns
	Text  string // what it adds to the first choice's text, often ""
	Model string // provider/model that answers
	ID    string // of the record to come
}

// Summary is a streamed answer after its end.
type Summary struct {
	Outcome
	Text string // of the first choice, assembled
}

// EmbedResponse is the answer to an embedding request.
type EmbedResponse struct {
	Outcome
	Body []byte // the provider's JSON
}

// Vectors reads the embeddings of an answer, in the order of the texts. Errors:
// AI_SERVICE_ERROR when the provider's answer holds none, or not all of one length.
func (r *EmbedResponse) Vectors() ([][]float32, error) {
	var answer struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float32 `json:"embedding"`
		} `json:"data"`
	}
	unreadable := domain.Errorf(domain.CodeAIService, "the embedding model %s answered with something that cannot be read as vectors", r.Model)
	if err := json.Unmarshal(r.Body, &answer); err != nil {
		return nil, unreadable.Because(err)
	}
	vectors := make([][]float32, len(answer.Data))
	for _, d := range answer.Data {
		if d.Index < 0 || d.Index >= len(vectors) || vectors[d.Index] != nil || len(d.Embedding) == 0 || len(d.Embedding) != len(answer.Data[0].Embedding) {
			return nil, unreadable
		}
		vectors[d.Index] = d.Embedding
	}
	return vectors, nil
}

// Model is an entry of the model list.
type Model struct {
	ID      string // as it can be asked for
	OwnedBy string // provider, or "flotorch" for routes
	Created int64  // Unix seconds
}
