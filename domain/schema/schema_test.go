package schema_test

import (
	"encoding/json"
	"testing"

	"strata/domain/schema"
)

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFaults(t *testing.T) {
	s, err := schema.Parse(object(t, `{"type":"object","required":["name","age"],"properties":{"name":{"type":"string","minLength":2},"age":{"type":"integer"},
		"mail":{"type":"string","format":"email"},"tags":{"type":"array","items":{"enum":["a","b"]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if faults := s.Faults("inputs", object(t, `{"name":"Ada","age":36,"tags":["a"]}`)); faults != nil {
		t.Errorf("faults of what is right: %v", faults)
	}
	var fields []string
	for _, f := range s.Faults("inputs", object(t, `{"name":"A","mail":"x","tags":["a","c"]}`)) {
		fields = append(fields, f.Field)
	}
	want := []string{"inputs", "inputs.mail", "inputs.name", "inputs.tags.1"}
	if got, _ := json.Marshal(fields); string(got) != string(must(json.Marshal(want))) {
		t.Errorf("faults in %s, want %v", got, want)
	}
}

func must(b []byte, _ error) []byte { return b }

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"a type there is not": `{"type":"objekt"}`,
		"a file":              `{"$ref":"file:///etc/passwd"}`,
		"an address":          `{"properties":{"a":{"$ref":"http://127.0.0.1/x"}}}`,
		"a bad pattern":       `{"pattern":"("}`,
	} {
		if _, err := schema.Parse(object(t, text)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if _, err := schema.Parse(object(t, `{"$defs":{"n":{"type":"number"}},"properties":{"a":{"$ref":"#/$defs/n"}}}`)); err != nil {
		t.Errorf("its own definitions: %v", err)
	}
}
