// Package budget is the spending ledger. A budget is not a counter that is
// read, compared and written: before a call the most it can cost is reserved,
// after it the actual cost is settled or the reservation released. Because a
// reservation is decided against spent + reserved, on one stream, in order,
// spending can never pass a hard limit, however many calls run at once.
//
// A reservation that nobody settles (its process died) expires. Should its
// call turn out to have happened after all, it is settled late: the money was
// spent, so it is counted.
package budget
