package personas

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"strata/domain"
)

// Limits of a persona, as the kind has them.
const (
	maxName  = 200
	maxNotes = 100_000
	maxData  = 256 << 10 // bytes of JSON
)

// Persona is a persona, or a part of one: what is nil is not said.
type Persona struct {
	Name      *string    `json:"name,omitempty" doc:"Name of the person." example:"Ada Example"`
	Birthdate *string    `json:"birthdate,omitempty" doc:"Day of birth, YYYY-MM-DD." example:"1985-12-10"`
	Notes     *string    `json:"notes,omitempty" doc:"What is known in words." example:"Prefers to be called in the evening"`
	Data      domain.Doc `json:"data,omitempty" doc:"What is known in fields of your own; null removes one."`
}

// parsePersona reads what a model or a client says of a persona, and names
// every fault of it.
func parsePersona(text []byte, at string, f *domain.Faults) Persona {
	var p Persona
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		f.Add(true, strings.TrimSuffix(at, "."), "must be a JSON object")
		return p
	}
	for name, raw := range fields {
		switch name {
		case "name":
			p.Name = textOf(raw, at+name, maxName, f)
		case "birthdate":
			p.Birthdate = textOf(raw, at+name, maxName, f)
		case "notes":
			p.Notes = textOf(raw, at+name, maxNotes, f)
		case "data":
			if json.Unmarshal(raw, &p.Data) != nil {
				f.Add(true, at+name, "must be an object")
			}
			f.Add(len(raw) > maxData, at+name, "must be at most %d bytes of JSON", maxData)
		default:
			f.Add(true, at+name, "is not known; known are name, birthdate, notes and data")
		}
	}
	if p.Birthdate != nil {
		_, err := time.Parse(time.DateOnly, *p.Birthdate)
		f.Add(err != nil, at+"birthdate", "must be a day, such as 1985-12-10")
	}
	if p.Name != nil {
		f.Add(strings.TrimSpace(*p.Name) == "", at+"name", "must not be empty")
	}
	return p
}

func textOf(raw json.RawMessage, field string, most int, f *domain.Faults) *string {
	if string(raw) == "null" {
		return nil // models say so of what they do not know
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		f.Add(true, field, "must be a string")
		return nil
	}
	f.Add(utf8.RuneCountInString(s) > most, field, "must be at most %d characters long", most)
	return &s
}

// with lays a patch over a persona.
func (p Persona) with(patch Persona) Persona {
	if patch.Name != nil {
		p.Name = patch.Name
	}
	if patch.Birthdate != nil {
		p.Birthdate = patch.Birthdate
	}
	if patch.Notes != nil {
		p.Notes = patch.Notes
	}
	if patch.Data != nil {
		p.Data = maps.Clone(p.Data).Merge(patch.Data)
	}
	return p
}

// answered finds the JSON text in what a model has said: models like to put it
// into a block of code, and to add a word before it.
func answered(said string) (json.RawMessage, error) {
	start := strings.IndexAny(said, "{[")
	if start < 0 {
		return nil, fmt.Errorf("holds no JSON")
	}
	var raw json.RawMessage
	dec := json.NewDecoder(strings.NewReader(said[start:]))
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("is not valid JSON: %w", err)
	}
	if strings.ContainsAny(said[start+int(dec.InputOffset()):], "{}[]") {
		return nil, fmt.Errorf("holds more than one JSON text")
	}
	return raw, nil
}
