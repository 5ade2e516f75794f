// Package arch holds the tests that keep the architecture true: which room may
// import which (imports_test.go), and habits that a compiler does not know
// (code_test.go, text_test.go). It has no code of its own.
//
// A rule that gets in the way is changed here, in the open, with its reason. An
// exception is a line in allow_test.go, with its reason too; one that nothing
// needs any more fails the tests, so the list cannot rot.
package arch
