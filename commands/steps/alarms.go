package steps

import (
	"container/heap"
	"time"
)

// alarm says when a run is to be looked at.
type alarm struct {
	due time.Time
	run *run
}

// alarms is a heap of alarms, the earliest first. It implements heap.Interface.
type alarms []alarm

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].due.Before(a[j].due) }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *alarms) Push(x any) { *a = append(*a, x.(alarm)) }

// Pop implements heap.Interface.
func (a *alarms) Pop() any {
	old := *a
	last := old[len(old)-1]
	old[len(old)-1] = alarm{}
	*a = old[:len(old)-1]
	return last
}

// next is the earliest alarm that still stands: a run has one at most, and an
// earlier one replaces a later.
func (a *alarms) next() (alarm, bool) {
	for len(*a) > 0 {
		first := (*a)[0]
		if first.run.alarm.Equal(first.due) {
			return first, true
		}
		heap.Pop(a)
	}
	return alarm{}, false
}
