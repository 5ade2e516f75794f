// Package logbus runs everything that reacts to events: process managers,
// webhooks, the relay, writers of other databases. It is Watermill over the
// log: the router, its retries, parking, metrics and traces are written once,
// and a [Reactor] is a name, a filter and a function.
//
//	router, err := logbus.NewRouter(logbus.Config{Store: log, Codec: codec, State: state})
//	err = router.AddReactor(reactor) // one event at a time, in order per stream
//	err = router.AddWriter(writer)   // many events at once, in the log's order
//	err = router.Start()
//
// What is promised to a reactor: every event that passes its filter, at least
// once; events of one stream one after the other, in order; different streams
// at the same time, up to the window. Its checkpoint is the position below the
// lowest event that is not finished, so a crash repeats at most one window. An
// event that keeps failing is parked with everything behind it in its stream,
// kept in order, and can be retried; the other streams flow on.
//
// A batch writer gets one Watermill message per batch instead of one per event:
// the router spends a goroutine on every message, and ten thousand of them
// waiting for one insert would hold tens of megabytes for nothing.
package logbus
