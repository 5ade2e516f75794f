// Package gatewaytest has what tests of the gateway, and of whatever is built on
// it, need: a provider that does what it is told (Upstream), and a directory, a
// ledger and a recorder in memory that check the rules of the real ones.
package gatewaytest
