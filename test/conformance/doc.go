// Package conformance holds the promises that two published APIs make, the
// Inference API and FloTorch, and the test that walks them: every documented
// operation with the fields it takes and the fields it answers.
//
// testdata/operations.tsv has one row per operation. Its fields are written as
//
//	name*:type{one|of|these}=default
//
// where * marks what must be given. A type is string, integer, number, boolean,
// datetime, object, binary, array<type>, map<string,type>, or the name of a resource
// of testdata/resources.tsv. An answer that is a bare list is written "[]:resource".
//
// The tests that drive the server carry the build tag e2e.
package conformance
