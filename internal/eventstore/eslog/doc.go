// Package eslog gives Strata's embedded log the rules of EventStoreDB: what is
// expected of a stream and which retries are recognised, streams that are deleted
// and come back, metadata that is itself a stream, tombstones, links, filters and
// subscriptions. It knows no wire format; internal/eventstore serves it.
//
// The log on disk stays one that Strata opens by itself. What the log has no
// field for is kept so that it does not show there (envelope.go, metadata.go).
package eslog
