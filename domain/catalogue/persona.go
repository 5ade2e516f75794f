package catalogue

import (
	"time"

	"strata/domain"
)

// Persona is what is known of a person who is, or stands for, a client.
type Persona struct {
	domain.Base
	Name      string         `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name of the person." example:"Ada Example"`
	Birthdate string         `json:"birthdate" required:"true" format:"date" maxLength:"10" doc:"Day of birth, YYYY-MM-DD." example:"1985-12-10"`
	Notes     string         `json:"notes" required:"true" maxLength:"100000" doc:"What is known in words." example:"Prefers to be called in the evening"`
	Data      map[string]any `json:"data" doc:"What is known in fields of your own."`
}

// Personas is the kind of [Persona]. Each is sealed under a key of its own, so
// that erasing a persona's id makes it unreadable wherever the log was copied.
var Personas = &domain.Kind[Persona]{
	KindSpec: domain.KindSpec{
		Name: "persona", Plural: "personas", Prefix: "per", Tag: "Personas",
		Doc:      "A persona: what is known of a person.",
		Personal: true, Search: []string{"name", "notes"}, Filters: []string{"name", "birthdate"}, Sorts: []string{"name", "birthdate"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/personas"}, {Mount: "v1", Path: "/personas", Silent: true}},
	},
	Check: func(p *Persona, f *domain.Faults) {
		_, err := time.Parse(time.DateOnly, p.Birthdate)
		f.Add(err != nil, "birthdate", "must be a day, such as 1985-12-10")
	},
	Example: Persona{
		Name: "Ada Example", Birthdate: "1985-12-10", Notes: "Prefers to be called in the evening",
		Data: map[string]any{"city": "London", "contracts": 2},
	},
}
