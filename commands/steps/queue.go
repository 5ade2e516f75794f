package steps

// queue holds runs that are to be looked at, and is fair between workspaces: they
// take turns, and none has more than its share of what is performed at once.
type queue struct {
	share   int
	waiting map[string][]*run // by workspace, oldest first
	turns   []string          // workspaces with runs, in the order of their turns
	busy    map[string]int    // by workspace: runs taken and not given back
	length  int
}

func newQueue(share int) *queue {
	return &queue{share: share, waiting: map[string][]*run{}, busy: map[string]int{}}
}

// push adds a run behind the others of its workspace.
func (q *queue) push(r *run) {
	ws := r.ref.Workspace
	if len(q.waiting[ws]) == 0 {
		q.turns = append(q.turns, ws)
	}
	q.waiting[ws] = append(q.waiting[ws], r)
	q.length++
}

// pop takes the run whose turn it is; nil when there is none, or when all that
// wait belong to workspaces that have their share. done gives it back.
func (q *queue) pop() *run {
	for i, ws := range q.turns {
		if q.busy[ws] >= q.share {
			continue
		}
		r := q.waiting[ws][0]
		q.turns = append(q.turns[:i], q.turns[i+1:]...)
		if rest := q.waiting[ws][1:]; len(rest) > 0 {
			q.waiting[ws] = rest
			q.turns = append(q.turns, ws)
		} else {
			delete(q.waiting, ws)
		}
		q.busy[ws]++
		q.length--
		return r
	}
	return nil
}

func (q *queue) done(r *run) {
	ws := r.ref.Workspace
	if q.busy[ws]--; q.busy[ws] == 0 {
		delete(q.busy, ws)
	}
}
