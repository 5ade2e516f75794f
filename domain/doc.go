// Package domain is Strata's pure core: what can happen (events), what may
// happen (deciders), and the words both are written in. It does no I/O, reads
// no clock and imports nothing else of Strata; time and identifiers come in
// from outside, so every rule here can be tested with plain values.
//
// The three ideas to know:
//
//   - A [Fact] is something that happened, as a typed Go value with a stable
//     name and version ("session.turn_added.v1").
//   - An [Aggregate] folds facts into a state and knows how to decode them.
//   - A decision is a pure function from a state and a command to new facts.
//     Rich aggregates have a package each (domain/session, domain/budget, …);
//     plain resources are values of [Kind], listed in domain/catalogue.
package domain
