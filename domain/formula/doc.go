// Package formula evaluates the expressions that users write into workflows: the
// conditions of edges, transforms, and the places {{…}} of templates. The language
// is that of github.com/expr-lang/expr, without what has side effects or depends
// on the moment.
//
// Whoever writes an expression is not trusted. An expression sees the values that
// it is given and nothing else. What it may use is bounded, and every way to use
// more is closed: its length and its parts, how often the body of a map or filter
// runs, the memory that results take, how large a text or list one function can
// make, and the time. Beyond a bound it ends with an error.
package formula
