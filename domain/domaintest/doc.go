// Package domaintest is the kit that tests of aggregates share: scenarios
// (given these facts, when this command, then those facts), golden files that
// keep every released event version readable, and a small recorder of
// histories for property tests and for the tests of read models.
//
//	domaintest.Given(t, session.Aggregate, created).
//		When(session.AddEvent{Author: "user", Content: text}).
//		Then(session.EventAdded{ID: domaintest.ID("sev", 1), Sequence: 1, …})
//
// Time stands still and identifiers are counted, so every run is the same.
package domaintest
