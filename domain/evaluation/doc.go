// Package evaluation scores a checkpoint on the data of a benchmark. An
// evaluation is asked for once and answered once, with metrics or with the
// reason why there are none. What the benchmark was when it was asked for is
// part of it: a benchmark that changes later changes no result.
package evaluation
