// Package schema checks values against JSON Schemas that users write: what a
// workflow takes and answers, what an agent must come to. A schema is read from
// itself alone; one that refers to an address is refused.
package schema

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"strata/domain"
)

const (
	// maxSize is the most bytes of a schema.
	maxSize = 64 << 10
	// maxFaults is how many faults of one value are named.
	maxFaults = 50
	address   = "strata:schema"
)

// Schema is a JSON Schema, of draft 2020-12 unless it says otherwise. It is safe
// for concurrent use.
type Schema struct{ compiled *jsonschema.Schema }

// nowhere loads nothing: a schema could otherwise read files and addresses.
type nowhere struct{}

var errElsewhere = errors.New("a schema may not refer to other documents")

// Load implements jsonschema.URLLoader.
func (nowhere) Load(string) (any, error) { return nil, errElsewhere }

// Parse reads a schema; the error says what is wrong with it.
func Parse(document map[string]any) (*Schema, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("is no JSON: %w", err)
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("is larger than %d bytes", maxSize)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return nil, fmt.Errorf("is no JSON: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(nowhere{})
	c.AssertFormat()
	if err := c.AddResource(address, value); err != nil {
		return nil, fmt.Errorf("is no JSON Schema: %s", lastLine(err))
	}
	compiled, err := c.Compile(address)
	if err != nil {
		return nil, fmt.Errorf("is no JSON Schema: %s", lastLine(err))
	}
	return &Schema{compiled}, nil
}

// lastLine is the part of the library's message that says most.
func lastLine(err error) string {
	if errors.Is(err, errElsewhere) {
		return errElsewhere.Error()
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimLeft(strings.TrimSpace(lines[len(lines)-1]), "- ")
}

// Faults names what is wrong with a value, which must be as encoding/json reads
// it: each fault with the path of the field, beginning with at.
func (s *Schema) Faults(at string, value any) []domain.FieldError {
	err := s.compiled.Validate(value)
	if err == nil {
		return nil
	}
	found, is := errors.AsType[*jsonschema.ValidationError](err)
	if !is {
		return []domain.FieldError{{Field: at, Message: "cannot be checked"}}
	}
	var out []domain.FieldError
	leaves(found, func(v *jsonschema.ValidationError) {
		if len(out) < maxFaults {
			out = append(out, domain.FieldError{Field: path(at, v.InstanceLocation), Message: v.ErrorKind.LocalizedString(message.NewPrinter(language.English))})
		}
	})
	slices.SortFunc(out, func(a, b domain.FieldError) int {
		return cmp.Or(strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message))
	})
	return out
}

// leaves calls do with the faults that have no others as their cause.
func leaves(v *jsonschema.ValidationError, do func(*jsonschema.ValidationError)) {
	if len(v.Causes) == 0 {
		do(v)
	}
	for _, cause := range v.Causes {
		leaves(cause, do)
	}
}

func path(at string, location []string) string {
	for _, part := range location {
		at += "." + part
	}
	return strings.TrimPrefix(at, ".")
}
