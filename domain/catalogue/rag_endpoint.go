package catalogue

import "strata/domain"

// RAGEndpoint answers questions from knowledge bases.
type RAGEndpoint struct {
	domain.Base
	Name           string   `json:"name" required:"true" minLength:"1" maxLength:"100" access:"c" doc:"Name, unique in the workspace; it is in the path of /v1/rag/{endpoint}/generate." example:"helpdesk"`
	Description    string   `json:"description,omitempty" maxLength:"2000"`
	DatasetIDs     []string `json:"dataset_ids" required:"true" minItems:"1" maxItems:"50" doc:"The knowledge bases that answers come from: ids, ids of vector indexes, or names."`
	Model          string   `json:"model" required:"true" minLength:"1" maxLength:"200" doc:"The model that writes the answers." example:"strata/extract-1"`
	SystemPrompt   string   `json:"system_prompt,omitempty" maxLength:"20000" doc:"Says how to answer, in place of Strata's own words."`
	TopK           int      `json:"top_k" minimum:"1" maximum:"50" default:"5" doc:"How many pieces of documents the model is shown."`
	ScoreThreshold *float64 `json:"score_threshold,omitempty" minimum:"0" maximum:"1" doc:"Only pieces that fit at least so well are shown."`
	Temperature    *float64 `json:"temperature,omitempty" minimum:"0" maximum:"2"`
	Enabled        bool     `json:"enabled" default:"true" doc:"Whether it answers."`
}

// RAGEndpoints is the kind of [RAGEndpoint].
var RAGEndpoints = &domain.Kind[RAGEndpoint]{
	KindSpec: domain.KindSpec{
		Name: "rag_endpoint", Plural: "rag-endpoints", Prefix: "rag", Tag: "Knowledge",
		Doc: "A named way to have questions answered from knowledge bases.",
		Key: "name", ByKey: true, Search: []string{"name", "description"}, Filters: []string{"enabled"}, Sorts: []string{"name"},
		Routes: []domain.KindRoute{
			{Mount: "api", Path: "/knowledge/rag-endpoints", Param: "name"},
			{Mount: "v1", Path: "/rag-endpoints", Param: "name"},
		},
	},
	Check: func(r *RAGEndpoint, f *domain.Faults) {
		f.Add(!slug.MatchString(r.Name), "name", "must be letters, digits, '.', '_' or '-', and begin with a letter or digit")
	},
	Example: RAGEndpoint{Name: "helpdesk", DatasetIDs: []string{"kb_01jk2m3n4p5q6r7s8t9v0w1x2y"}, Model: "strata/extract-1", TopK: 5, Enabled: true},
}
