// Package checks has tests of what is in deploy/: that files are what the
// programs they are for understand, and that they speak of settings, ports and
// metrics that Strata really has.
//
// It is a module of its own, because it needs Prometheus, Compose and BuildKit as
// libraries and the product does not. Run it with `make deploy-check`.
package checks
