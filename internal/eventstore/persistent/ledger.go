package persistent

// ledger remembers, in the order of their source, the messages that are not
// settled yet, and so up to where everything is.
type ledger struct {
	open    queue[*message]
	floor   int64 // everything up to here is settled
	settled int   // messages that the floor has passed since the last mark
	marked  int64 // the floor that was last written down
}

// add takes a message that comes after all others.
func (l *ledger) add(m *message) {
	m.ledger = l
	l.open.push(m)
}

// settle says that a message needs nothing any more.
func (l *ledger) settle(m *message) {
	m.settled = true
	for l.open.len() > 0 && l.open.front().settled {
		l.floor = l.open.pop().at
		l.settled++
	}
}

// pass moves the floor over what holds no message, if nothing below is open.
func (l *ledger) pass(to int64) {
	if l.open.len() == 0 && to > l.floor {
		l.floor = to
	}
}

// mark says that a floor, and the messages it had passed, are written down.
func (l *ledger) mark(floor int64, settled int) {
	l.marked = floor
	l.settled -= settled
}
