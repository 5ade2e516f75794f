package workflows

import (
	"context"
	"time"

	"strata/domain"
	"strata/domain/workflow"
)

// late tells whether the time of the attempt is over. Nodes that only compute have
// none that is known: their beginning is not worth a fact.
func (j *job) late(now time.Time) bool { return !j.due.IsZero() && !now.Before(j.due) }

// errLate says that a node's time is over.
func (j *job) errLate() error {
	return passing{domain.Errorf(domain.CodeTimeout, "the node took longer than its timeout_ms")}
}

// within bounds one try by what is left of the node's time, or by what is usual where
// the node does not say. What is usual counts from now: a run goes on after a pause
// of the process, however long.
func (j *job) within(ctx context.Context, now time.Time, usual time.Duration) (context.Context, context.CancelFunc) {
	if !j.due.IsZero() {
		if left := j.due.Sub(now); j.node.TimeoutMS > 0 || left < usual {
			usual = left
		}
	}
	return context.WithTimeout(ctx, usual)
}

// unsure tells that it is not known whether a tool has been called: whether that is
// what is to be said of the step, however late it is, its config says.
func (j *job) unsure() bool {
	return j.node.Type == workflow.Tool && j.execution > 1
}

// computed tells whether a node that only computes has taken too long: its time
// cannot be told from the log, so that each try is measured by itself. Expressions
// have a limit of their own, which ends what would never end.
func (j *job) computed(from, to time.Time, c *came) bool {
	return j.node.TimeoutMS > 0 && j.due.IsZero() && c.opens == nil && to.Sub(from) > time.Duration(j.node.TimeoutMS)*time.Millisecond
}
