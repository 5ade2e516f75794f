package catalogue_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"strata/domain"
	"strata/domain/catalogue"
)

// faulty names the fields that a kind finds fault with.
func faulty(t *testing.T, k domain.AnyKind, doc string) []string {
	t.Helper()
	var d domain.Doc
	if err := json.Unmarshal([]byte(doc), &d); err != nil {
		t.Fatal(err)
	}
	err := k.Validate(d)
	if err == nil {
		return nil
	}
	e, ok := err.(*domain.Error)
	if !ok || e.Code != domain.CodeValidation {
		t.Fatalf("%s: %v", doc, err)
	}
	var fields []string
	for _, f := range e.Fields {
		fields = append(fields, f.Field)
	}
	return fields
}

func TestChecks(t *testing.T) {
	for _, test := range []struct {
		kind   domain.AnyKind
		doc    string
		faults string
	}{
		{catalogue.Apps, `{"name":"a","config":{"model":"m","temperature":0,"maxTokens":1,"own":{"x":1}}}`, ""},
		{catalogue.Apps, `{"config":{"model":1,"system_prompt":[],"temperature":2.1,"max_tokens":0}}`, "config.model config.max_tokens config.system_prompt config.temperature"},
		{catalogue.Apps, `{"config":{"temperature":"hot"}}`, "config.temperature"},
		{catalogue.Apps, `{"dataset_ids":7}`, "dataset_ids"},
		{catalogue.ModelRoutes, `{"name":"smart-1.x","strategy":"fallback","targets":[{"model":"a/b/c"}]}`, ""},
		{catalogue.ModelRoutes, `{"name":"a b","strategy":"fallback","targets":[]}`, "name targets"},
		{catalogue.ModelRoutes, `{"name":"r","strategy":"fallback","targets":[{"model":"a"},{"model":"/b"},{"model":"flotorch/r"}]}`, "targets[0].model targets[1].model targets[2].model"},
		{catalogue.MCPServers, `{"name":"s","transport":"stdio","command":"x","env":{"A_1":"x"}}`, ""},
		{catalogue.MCPServers, `{"name":"s","transport":"sse","url":"https://h/x","headers":{"X-A":"b"},"auth":{"type":"bearer","token":"t"}}`, ""},
		{catalogue.MCPServers, `{"name":"a/b","transport":"stdio","url":"http://x","env":{"A-1":"x"}}`, "command env.A-1 name url"},
		{catalogue.MCPServers, `{"name":"s","transport":"sse","url":"http://u:p@h","command":"x","headers":{"a(b)":"c"},"auth":{"type":"basic"}}`, "auth.password command headers.a(b) url"},
		{catalogue.MCPServers, `{"name":"s","transport":"streamable_http","auth":{"type":"header"}}`, "auth.header auth.token url"},
		{catalogue.MCPServers, `{"name":"s","transport":"websocket","url":"wss://h"}`, "transport"},
		{catalogue.MemoryProviders, `{"name":"longterm","type":"mem0","api":"platform"}`, ""},
		{catalogue.MemoryProviders, `{"name":"Internal","type":"mem0","api":"server"}`, "base_url name"},
		{catalogue.MemoryProviders, `{"name":"a/b","type":"mem0","base_url":"http://u:p@h"}`, "base_url name"},
		{catalogue.ModelRoutes, `{"name":"r","strategy":"weighted","targets":[{"model":"a/b"}]}`, "targets"},
		{catalogue.ModelRoutes, `{"name":"r","strategy":"weighted","targets":[{"model":"a/b","weight":0.5}]}`, ""},
		{catalogue.Prompts, `{"template":"Hi {{name}}","variables":[{"name":"name"},{"name":"user.first_name"}]}`, ""},
		{catalogue.Prompts, `{"template":"Hi {{name","variables":[{"name":"n"},{"name":"n"},{"name":"1st"}]}`, "template variables[1].name variables[2].name"},
		{catalogue.Providers, `{"name":"p","type":"openai"}`, ""},
		{catalogue.Providers, `{"name":"p","type":"openai_compatible"}`, "base_url"},
		{catalogue.Providers, `{"name":"Strata","type":"ollama","base_url":"ftp://x"}`, "base_url name"},
		{catalogue.Providers, `{"name":"-p","type":"ollama","base_url":"http://"}`, "base_url name"},
	} {
		got := faulty(t, test.kind, test.doc)
		slices.Sort(got)
		want := strings.Fields(test.faults)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s %s: faults in %v, want %v", test.kind.Spec().Name, test.doc, got, want)
		}
	}
}

// What the catalogue says of its kinds fits together.
func TestSpecs(t *testing.T) {
	names, prefixes, paths := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, k := range catalogue.All() {
		s := k.Spec()
		if names[s.Name] || prefixes[s.Prefix] {
			t.Errorf("%s: a name or prefix is used twice", s.Name)
		}
		names[s.Name], prefixes[s.Prefix] = true, true
		fields := domain.FieldNames(k.Type())
		for _, field := range slices.Concat(s.Search, s.Filters, s.Sorts, s.Versions, []string{s.Key}) {
			if field != "" && !slices.Contains(fields, field) {
				t.Errorf("%s has no field %s", s.Name, field)
			}
		}
		if s.ByKey && s.Key == "" {
			t.Errorf("%s is named in paths by a field that there is not", s.Name)
		}
		if (len(s.Versions) > 0) != (k.VersionType() != nil) {
			t.Errorf("%s: versions without an example, or the other way round", s.Name)
		}
		for _, r := range s.Routes {
			if paths[r.Mount+r.Path] {
				t.Errorf("%s is served where another kind is", s.Name)
			}
			paths[r.Mount+r.Path] = true
		}
		if err := k.Validate(k.ExampleDoc()); err != nil {
			t.Errorf("the example of %s: %v", s.Name, err)
		}
	}
}

func TestReadAppConfigTakesBothSpellings(t *testing.T) {
	for _, config := range []map[string]any{
		{"model": "m", "maxTokens": 7.0, "systemPrompt": "s", "temperature": 0.5},
		{"model": "m", "max_tokens": json.Number("7"), "system_prompt": "s", "temperature": json.Number("0.5")},
	} {
		c := catalogue.ReadAppConfig(config, nil)
		if c.Model != "m" || c.MaxTokens != 7 || c.SystemPrompt != "s" || c.Temperature == nil || *c.Temperature != 0.5 {
			t.Errorf("%v: %+v", config, c)
		}
	}
}

func TestRender(t *testing.T) {
	declared := []catalogue.PromptVariable{{Name: "name", Required: true}, {Name: "tone", Default: "warm"}, {Name: "aside"}}
	for _, test := range []struct {
		template string
		values   map[string]any
		text     string
		missing  string
	}{
		{"Hi {{name}}, {{ tone }}{{aside}}.", map[string]any{"name": "Ann"}, "Hi Ann, warm.", ""},
		{"{{name}} {{name}} {{other}}", nil, "{{name}} {{name}} {{other}}", "name other"},
		{"{{tone}}", map[string]any{"tone": nil}, "warm", ""},
		{"{{a}} {{b}} {{c}}", map[string]any{"a": 1.5, "b": []any{1.0, "x"}, "c": "{{name}}"}, `1.5 [1,"x"] {{name}}`, ""},
		{"{{ }} {{1}} { {name} }", map[string]any{"name": "x"}, "{{ }} {{1}} { {name} }", ""},
	} {
		text, missing := catalogue.Render(test.template, declared, test.values)
		if text != test.text || strings.Join(missing, " ") != test.missing {
			t.Errorf("%q: %q, missing %v", test.template, text, missing)
		}
	}
}

// Text without places stays as it is; with values for all places nothing is
// missing, and values are never looked into.
func TestRenderProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOf(rapid.StringMatching(`[a-z {}]{0,8}`)).Draw(t, "words")
		value := rapid.String().Draw(t, "value")
		var template, want strings.Builder
		for i, w := range words {
			w = strings.NewReplacer("{{", "", "}}", "").Replace(w)
			w = strings.Trim(w, "{}")
			template.WriteString(w)
			want.WriteString(w)
			if i%2 == 0 {
				template.WriteString("{{ v }}")
				want.WriteString(value)
			}
		}
		text, missing := catalogue.Render(template.String(), nil, map[string]any{"v": value})
		if text != want.String() || len(missing) != 0 {
			t.Fatalf("%q: %q, want %q; missing %v", template.String(), text, want.String(), missing)
		}
		if plain, _ := catalogue.Render(value, nil, nil); !strings.Contains(value, "{{") && plain != value {
			t.Fatalf("%q became %q", value, plain)
		}
	})
}
