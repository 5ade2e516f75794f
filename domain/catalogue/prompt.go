package catalogue

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"strata/domain"
)

// Prompt is a prompt template with versions.
type Prompt struct {
	domain.Base
	Name        string           `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name, unique in the workspace." example:"Greeting"`
	Description string           `json:"description,omitempty" maxLength:"2000" doc:"What it is for." example:"Greets a customer by name"`
	Template    string           `json:"template" required:"true" minLength:"1" maxLength:"100000" doc:"Text with {{variable}} places." example:"Hello {{name}}, how can I help?"`
	Variables   []PromptVariable `json:"variables,omitempty" maxItems:"200" doc:"What the template's places take."`
	Model       string           `json:"model,omitempty" maxLength:"200" doc:"Model it is meant for." example:"strata/extract-1"`
	Parameters  map[string]any   `json:"parameters,omitempty" doc:"Model parameters, as the model takes them."`
	Tags        []string         `json:"tags,omitempty" maxItems:"50" doc:"Labels to find it by."`
	Status      string           `json:"status" enum:"draft,active,archived" default:"draft" example:"draft"`
	Version     int              `json:"version,omitempty" access:"r" doc:"Current version, from 1; a change of the template makes the next."`
}

// PromptVariable describes one place of a template.
type PromptVariable struct {
	Name     string `json:"name" required:"true" minLength:"1" maxLength:"100" example:"name"`
	Type     string `json:"type,omitempty" enum:"string,number,boolean,object,array" default:"string"`
	Required bool   `json:"required,omitempty"`
	Default  any    `json:"default,omitempty" doc:"Taken when the caller gives no value."`
}

// PromptVersion is one version of a prompt.
type PromptVersion struct {
	domain.VersionBase
	PromptID  string           `json:"prompt_id" access:"r" doc:"The prompt it belongs to."`
	Template  string           `json:"template" required:"true" minLength:"1" maxLength:"100000" example:"Hello {{name}}, how can I help?"`
	Variables []PromptVariable `json:"variables,omitempty" maxItems:"200"`
}

// Prompts is the kind of [Prompt].
var Prompts = &domain.Kind[Prompt]{
	KindSpec: domain.KindSpec{
		Name: "prompt", Plural: "prompts", Prefix: "prm", Tag: "Prompts",
		Doc: "A prompt template with variables and versions.",
		Key: "name", Search: []string{"name", "description", "template"}, Filters: []string{"status", "tags"},
		Versions: []string{"template", "variables"}, Verbs: []string{"render"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/prompts", Param: "prompt_id"}},
	},
	Check: func(p *Prompt, f *domain.Faults) {
		seen := map[string]bool{}
		for i, v := range p.Variables {
			f.Add(seen[v.Name], fmt.Sprintf("variables[%d].name", i), "is declared twice")
			f.Add(!placeName.MatchString(v.Name), fmt.Sprintf("variables[%d].name", i), "must be letters, digits, _ or . and begin with a letter or _")
			seen[v.Name] = true
		}
		open, closing := strings.Count(p.Template, "{{"), strings.Count(p.Template, "}}")
		f.Add(open != closing, "template", "has %d {{ and %d }}", open, closing)
	},
	Example: Prompt{
		Name: "Greeting", Description: "Greets a customer by name", Template: "Hello {{name}}, how can I help?",
		Variables: []PromptVariable{{Name: "name", Type: "string", Required: true}}, Status: "draft",
	},
	Version: PromptVersion{},
}

var (
	placeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	place     = regexp.MustCompile(`\{\{\s*([A-Za-z_][A-Za-z0-9_.]*)\s*\}\}`)
)

// Render fills a template. missing lists the places that are required, or
// declared by nobody, and have neither a value nor a default; they stay as
// they are in the text.
func Render(template string, declared []PromptVariable, values map[string]any) (text string, missing []string) {
	text = place.ReplaceAllStringFunc(template, func(found string) string {
		name := place.FindStringSubmatch(found)[1]
		if v, ok := values[name]; ok && v != nil {
			return show(v)
		}
		i := slices.IndexFunc(declared, func(v PromptVariable) bool { return v.Name == name })
		if i >= 0 && declared[i].Default != nil {
			return show(declared[i].Default)
		}
		if i >= 0 && !declared[i].Required {
			return ""
		}
		if !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
		return found
	})
	return text, missing
}

// show writes a variable's value into a text: strings as they are, everything
// else as JSON.
func show(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil { // values came from JSON
		return ""
	}
	return string(b)
}
