// Package interop holds clients that others wrote against `strata eventstore`, as
// a real process, with and without TLS: the official Go client's own tests, the
// official client for Node, and a client for Python.
//
// The Go client's tests come out of its module, unmodified but for the one file
// that starts containers: testdata/containers_test.go takes its place. Which of
// them cannot pass, and why, is in testdata/goclient.txt; a test that is listed
// and passes fails the suite just as one that fails and is not listed.
package interop
