package states

import (
	"strata/domain/argument"
	"strata/domain/insight"
)

// Arguments keeps arguments.
func Arguments() Spec[argument.State] {
	return Spec[argument.State]{Name: "arguments", Version: 1, Aggregate: argument.Aggregate,
		Filters: []Filter[argument.State]{
			{"status", func(s *argument.State) string { return string(s.Review.Status) }},
			{"action_id", func(s *argument.State) string { return s.ActionID }},
		},
		Show: func(s *argument.State) Shown {
			return Shown{Gone: s.Deleted, Open: s.Open, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
		}}
}

// Insights keeps insights.
func Insights() Spec[insight.State] {
	return Spec[insight.State]{Name: "insights", Version: 1, Aggregate: insight.Aggregate,
		Show: func(s *insight.State) Shown {
			return Shown{Gone: s.Deleted, Open: s.Open, CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt}
		}}
}
