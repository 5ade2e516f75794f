// Package streamstest is the conformance suite of [streams.Store]: what every
// adapter must do, stated as tests. An adapter's own test calls [Run] with a
// [Factory].
//
// Tests use streams with names of their own and look only at those, or at
// positions after the head they began with, so that one shared store will do.
package streamstest
