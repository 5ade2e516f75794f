package openaiapi

// The types below describe the wire format for the API's documentation. The
// handlers do not use them: requests and answers pass through whole, also what
// is not described here.

// ChatRequestDoc is a chat completion request.
type ChatRequestDoc struct {
	Model               string           `json:"model" required:"true" doc:"provider/model, flotorch/<route>, or a bare name." example:"strata/extract-1"`
	Messages            []ChatMessageDoc `json:"messages" required:"true" minItems:"1"`
	Stream              bool             `json:"stream" default:"false"`
	StreamOptions       map[string]any   `json:"stream_options" doc:"include_usage adds a chunk with the usage."`
	Temperature         *float64         `json:"temperature" minimum:"0" maximum:"2"`
	TopP                *float64         `json:"top_p"`
	N                   *int             `json:"n" minimum:"1"`
	MaxTokens           *int             `json:"max_tokens" minimum:"1"`
	MaxCompletionTokens *int             `json:"max_completion_tokens" minimum:"1"`
	Stop                any              `json:"stop" doc:"A text or a list of texts."`
	Tools               []map[string]any `json:"tools"`
	ToolChoice          any              `json:"tool_choice"`
	ResponseFormat      map[string]any   `json:"response_format"`
	Seed                *int             `json:"seed"`
	PresencePenalty     *float64         `json:"presence_penalty"`
	FrequencyPenalty    *float64         `json:"frequency_penalty"`
	User                string           `json:"user" doc:"Your end user; shown in the inference log." example:"user-17"`
	Metadata            map[string]any   `json:"metadata" doc:"Kept in the inference log."`
}

// ChatMessageDoc is one message.
type ChatMessageDoc struct {
	Role    string `json:"role" required:"true" example:"user"`
	Content any    `json:"content" doc:"A text or a list of parts." example:"\"Hello!\""`
}

// UsageDoc counts tokens.
type UsageDoc struct {
	PromptTokens     int `json:"prompt_tokens" example:"9"`
	CompletionTokens int `json:"completion_tokens,omitempty" example:"12"`
	TotalTokens      int `json:"total_tokens" example:"21"`
}

// ChatResponseDoc is a chat completion.
type ChatResponseDoc struct {
	ID      string          `json:"id" example:"chatcmpl-01jk2m3n4p"`
	Object  string          `json:"object" example:"chat.completion"`
	Created int64           `json:"created" example:"1705314600"`
	Model   string          `json:"model" example:"extract-1"`
	Choices []ChatChoiceDoc `json:"choices"`
	Usage   UsageDoc        `json:"usage"`
}

// ChatChoiceDoc is one answer.
type ChatChoiceDoc struct {
	Index        int            `json:"index"`
	Message      ChatMessageDoc `json:"message"`
	FinishReason string         `json:"finish_reason" example:"stop"`
}

// EmbeddingRequestDoc is an embedding request.
type EmbeddingRequestDoc struct {
	Model          string `json:"model" required:"true" example:"strata/embed-1"`
	Input          any    `json:"input" required:"true" doc:"A text, a list of texts, or token arrays." example:"\"The quick brown fox\""`
	Dimensions     *int   `json:"dimensions" minimum:"1"`
	EncodingFormat string `json:"encoding_format" enum:"float,base64" default:"float"`
	User           string `json:"user"`
}

// EmbeddingResponseDoc answers an embedding request.
type EmbeddingResponseDoc struct {
	Object string         `json:"object" example:"list"`
	Data   []EmbeddingDoc `json:"data"`
	Model  string         `json:"model" example:"embed-1"`
	Usage  UsageDoc       `json:"usage"`
}

// EmbeddingDoc is one vector.
type EmbeddingDoc struct {
	Object    string `json:"object" example:"embedding"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding" doc:"Numbers, or with encoding_format base64 a text: little-endian float32." example:"[0.1,0.2]"`
}

// ModelListDoc is the list of models.
type ModelListDoc struct {
	Object string     `json:"object" example:"list"`
	Data   []ModelDoc `json:"data"`
}

// ModelDoc is one model.
type ModelDoc struct {
	ID      string `json:"id" example:"strata/extract-1"`
	Object  string `json:"object" example:"model"`
	Created int64  `json:"created" example:"1705314600"`
	OwnedBy string `json:"owned_by" example:"strata"`
}
