//go:build e2e

package conformance

// learning probes connectors, clusters, trainings and what they are compared by.
func learning(map[string]probe) {}
