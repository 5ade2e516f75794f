package readapi

import (
	"context"
	"strings"
	"sync"

	"strata/domain"
	"strata/internal/httpx"
	"strata/projections/query"
)

// Answers keeps the bodies of answers to GET by id as they were sent, so that
// what is read often is neither read from the database nor rendered again. The
// hooks of the projections' runner (OnCommit, OnReplace) have to tell it of every
// change: it then forgets what a commit has changed before anybody who waits for
// that commit reads.
type Answers struct {
	kept *query.Cache[answer]

	mu    sync.RWMutex
	known map[place][]string // ids of the operations that show streams of a category
}

// place is the model an operation reads and the category of streams it shows.
type place struct{ model, category string }

type answer struct {
	workspace string
	revision  domain.Revision
	body      []byte
}

// NewAnswers makes a cache of at most so many bytes, about.
func NewAnswers(bytes int) *Answers {
	const overhead = 300 // key and list element
	return &Answers{known: map[place][]string{},
		kept: query.NewSizedCache(bytes, func(a answer) int { return len(a.body) + overhead })}
}

// Committed forgets what events of a model's commit have changed.
func (a *Answers) Committed(model string, events []domain.Event) {
	var keys []string
	a.mu.RLock()
	for i := range events {
		stream := events[i].Stream
		for _, op := range a.known[place{model, stream.Category()}] {
			keys = append(keys, answerKey(op, stream))
		}
	}
	a.mu.RUnlock()
	if len(keys) > 0 {
		a.kept.Forget(keys...)
	}
}

// Flush forgets everything: rows have changed in another way than by events of
// their streams.
func (a *Answers) Flush() { a.kept.Clear() }

func answerKey(op string, stream domain.StreamID) string {
	return strings.Join([]string{op, string(stream)}, " ")
}

// remember answers an operation from what is kept. stream tells the stream that
// the path names, and whether the answer depends on nothing else.
func remember[V any](a *Answers, op httpx.Op, category string, stream func(ctx context.Context) (domain.StreamID, bool),
	now func(ctx context.Context) (httpx.Reply[V], error)) func(ctx context.Context) (httpx.Reply[V], error) {
	at := place{op.Reads, category}
	a.mu.Lock()
	a.known[at] = append(a.known[at], op.ID)
	a.mu.Unlock()
	return func(ctx context.Context) (httpx.Reply[V], error) {
		id, ok := stream(ctx)
		if !ok {
			return now(ctx)
		}
		_, workspace := tenant(ctx)
		key := answerKey(op.ID, id)
		known, found, since := a.kept.Find(key)
		if found && known.workspace == workspace {
			return httpx.Reply[V]{Spelled: known.body, Revision: &known.revision}, nil
		}
		reply, err := now(ctx)
		if err == nil && reply.Revision != nil && !found {
			revision := *reply.Revision
			reply.Spell = func(body []byte) { a.kept.Keep(since, key, answer{workspace, revision, body}) }
		}
		return reply, err
	}
}
