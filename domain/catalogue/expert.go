package catalogue

import "strata/domain"

// Expert is what a chat may be told beforehand: a role with its knowledge and tools.
type Expert struct {
	domain.Base
	Name        string           `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name." example:"Tax adviser"`
	Description string           `json:"description" required:"true" maxLength:"2000" doc:"What it is an expert in; a router chooses by it." example:"Answers questions on income tax"`
	Context     string           `json:"context" maxLength:"100000" doc:"What a model is told before the conversation." example:"You advise private persons on income tax."`
	FileContext []map[string]any `json:"file_context" maxItems:"100" doc:"Documents that a model is told beforehand: objects with name and content."`
	Tools       []map[string]any `json:"tools" maxItems:"100" doc:"Tools that a model may call: objects with name, description and parameters (a JSON schema), or OpenAI's form of them."`
}

// Experts is the kind of [Expert].
var Experts = &domain.Kind[Expert]{
	KindSpec: domain.KindSpec{
		Name: "expert", Plural: "experts", Prefix: "exp", Tag: "Experts",
		Doc:    "An expert: what a chat is told beforehand, and the tools it may use.",
		Search: []string{"name", "description"}, Sorts: []string{"name"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/experts"}, {Mount: "v1", Path: "/experts", Silent: true}},
	},
	Example: Expert{
		Name: "Tax adviser", Description: "Answers questions on income tax", Context: "You advise private persons on income tax.",
		FileContext: []map[string]any{{"name": "rates.md", "content": "The basic rate is 20 %."}},
		Tools: []map[string]any{{"name": "tax", "description": "Tax due on an income",
			"parameters": map[string]any{"type": "object", "properties": map[string]any{"income": map[string]any{"type": "number"}}}}},
	},
}
