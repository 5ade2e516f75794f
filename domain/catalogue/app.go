package catalogue

import (
	"encoding/json"

	"strata/domain"
)

// App is an application: a named configuration that conversations run under.
type App struct {
	domain.Base
	Name        string         `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name, unique in the workspace." example:"Customer Support Bot"`
	Description string         `json:"description,omitempty" maxLength:"2000" doc:"What it is for." example:"AI-powered customer service assistant"`
	Type        string         `json:"type" required:"true" access:"c" enum:"workflow,chat,agent,plugin" doc:"What runs when it is used." example:"chat"`
	Status      string         `json:"status" enum:"draft,published,archived" default:"draft" doc:"An archived app takes no messages." example:"draft"`
	Config      map[string]any `json:"config,omitempty" doc:"How it talks to models: model, temperature, maxTokens, systemPrompt; other keys are kept as they are."`
	WorkflowID  string         `json:"workflow_id,omitempty" maxLength:"200" doc:"Workflow of an app of type workflow."`
	AgentID     string         `json:"agent_id,omitempty" maxLength:"200" doc:"Agent of an app of type agent."`
	DatasetIDs  []string       `json:"dataset_ids,omitempty" maxItems:"100" doc:"Knowledge bases it may use."`
}

// AppExport is an app on its way to another installation.
type AppExport struct {
	domain.ExportBase
	App App `json:"app" doc:"The app, as a create takes it, with its own id and times."`
}

// AppConfig is the part of an app's configuration that Strata reads. Keys are
// accepted in both cases; the rest belongs to the user.
type AppConfig struct {
	Model        string
	Temperature  *float64
	MaxTokens    int // 0 = the model's own
	SystemPrompt string
}

// Apps is the kind of [App].
var Apps = &domain.Kind[App]{
	KindSpec: domain.KindSpec{
		Name: "app", Plural: "apps", Prefix: "app", Tag: "Applications",
		Doc: "An application: a named configuration that conversations run under.",
		Key: "name", Search: []string{"name", "description"}, Filters: []string{"status", "type"},
		Clone:  true,
		Routes: []domain.KindRoute{{Mount: "api", Path: "/apps"}},
	},
	Export: AppExport{},
	Check:  func(a *App, f *domain.Faults) { ReadAppConfig(a.Config, f) },
	Example: App{
		Name: "Customer Support Bot", Description: "AI-powered customer service assistant", Type: "chat", Status: "draft",
		Config: map[string]any{"model": "strata/extract-1", "temperature": 0.7, "maxTokens": 2000},
	},
}

// ReadAppConfig reads what Strata uses of an app's configuration and names
// what is of the wrong type. f may be nil.
func ReadAppConfig(config map[string]any, f *domain.Faults) AppConfig {
	if f == nil {
		f = &domain.Faults{}
	}
	var c AppConfig
	text := func(into *string, keys ...string) {
		for _, k := range keys {
			if v, ok := config[k]; ok {
				s, isText := v.(string)
				f.Add(!isText, "config."+k, "must be a string")
				*into = s
			}
		}
	}
	number := func(into **float64, low, high float64, keys ...string) {
		for _, k := range keys {
			v, ok := config[k]
			if !ok {
				continue
			}
			n, isNumber := asNumber(v)
			f.Add(!isNumber || n < low || n > high, "config."+k, "must be a number from %g to %g", low, high)
			*into = &n
		}
	}
	text(&c.Model, "model")
	text(&c.SystemPrompt, "systemPrompt", "system_prompt")
	number(&c.Temperature, 0, 2, "temperature")
	var maxTokens *float64
	number(&maxTokens, 1, 10_000_000, "maxTokens", "max_tokens")
	if maxTokens != nil {
		c.MaxTokens = int(*maxTokens)
	}
	return c
}

func asNumber(v any) (float64, bool) {
	switch n := v.(type) {
	case float64:
		return n, true
	case int:
		return float64(n), true
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	}
	return 0, false
}
