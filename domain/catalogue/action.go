package catalogue

import (
	"time"

	"strata/domain"
)

// ActionGroup gathers marketing actions under a name.
type ActionGroup struct {
	domain.Base
	Name        string `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name." example:"Retention"`
	Description string `json:"description" required:"true" maxLength:"2000" doc:"What its actions have in common." example:"Offers for customers about to leave"`
}

// ActionGroups is the kind of [ActionGroup].
var ActionGroups = &domain.Kind[ActionGroup]{
	KindSpec: domain.KindSpec{
		Name: "action_group", Plural: "action-groups", Prefix: "agr", Tag: "Actions",
		Doc:    "A group of marketing actions.",
		Search: []string{"name", "description"}, Sorts: []string{"name"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/action-groups"}, {Mount: "v1", Path: "/action-groups"}},
	},
	Example: ActionGroup{Name: "Retention", Description: "Offers for customers about to leave"},
}

// Action is something that can be done for or offered to a client.
type Action struct {
	domain.Base
	Name            string `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name." example:"Loyalty discount"`
	Description     string `json:"description" required:"true" maxLength:"10000" doc:"What is offered, to whom and why." example:"Ten percent off the next year for clients of five years or more"`
	Type            string `json:"type" required:"true" minLength:"1" maxLength:"200" doc:"What sort of action it is; any text." example:"discount"`
	Priority        string `json:"priority" required:"true" enum:"very_low,low,medium,high,very_high" doc:"How much it matters beside others." example:"high"`
	Status          string `json:"status" enum:"archived,draft,active,inactive" default:"draft" example:"active"`
	Channel         string `json:"channel" maxLength:"200" doc:"How the client is reached." example:"email"`
	ChannelTemplate string `json:"channel_template" maxLength:"20000" doc:"How a message on that channel is to be written." example:"Short, first name, one link"`
	CustomInsights  string `json:"custom_insights" maxLength:"20000" doc:"What is known beyond the client's data." example:"Clients with two contracts answer best"`
	Group           string `json:"group" access:"u" maxLength:"200" doc:"Id of the action group it belongs to; set by an update."`
	ModelID         string `json:"model_id" maxLength:"200" doc:"Model that writes for it." example:"strata/extract-1"`
	StartDate       string `json:"start_date" maxLength:"40" doc:"From when it may be offered: RFC 3339, or a day. Empty for always." example:"2026-01-01T00:00:00Z"`
	EndDate         string `json:"end_date" maxLength:"40" doc:"Until when it may be offered: RFC 3339, or a day. Empty for ever." example:"2026-12-31T23:59:59Z"`
}

// Actions is the kind of [Action].
var Actions = &domain.Kind[Action]{
	KindSpec: domain.KindSpec{
		Name: "action", Plural: "actions", Prefix: "act", Tag: "Actions",
		Doc:    "A marketing action: what can be offered to a client, how and when.",
		Search: []string{"name", "description"}, Filters: []string{"status", "priority", "type", "group", "channel"}, Sorts: []string{"name"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/actions"}, {Mount: "v1", Path: "/actions"}},
	},
	Check: func(a *Action, f *domain.Faults) {
		start, startOK := dateOrTime(a.StartDate)
		end, endOK := dateOrTime(a.EndDate)
		f.Add(!startOK, "start_date", "must be an RFC 3339 time or a day, such as 2024-01-15")
		f.Add(!endOK, "end_date", "must be an RFC 3339 time or a day, such as 2024-01-15")
		f.Add(startOK && endOK && !start.IsZero() && !end.IsZero() && end.Before(start), "end_date", "must not be before start_date")
	},
	Example: Action{
		Name: "Loyalty discount", Description: "Ten percent off the next year for clients of five years or more", Type: "discount",
		Priority: "high", Status: "active", Channel: "email", StartDate: "2026-01-01T00:00:00Z", EndDate: "2026-12-31T23:59:59Z",
	},
}

// dateOrTime reads an RFC 3339 time or a day; the zero time is nothing given.
func dateOrTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
