package knowledge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"strata/commands"
	"strata/commands/steps"
	"strata/domain"
	"strata/domain/knowledge"
)

// Embedder turns texts into vectors on somebody's account, one for each. Errors are
// the gateway's.
type Embedder interface {
	Embed(ctx context.Context, p domain.Principal, model string, texts []string) ([][]float32, error)
}

// Index is where pieces are found.
type Index interface {
	// Wait returns when everything that was embedded up to a position can be found.
	Wait(ctx context.Context, position domain.Position) error
}

// Documents lists documents; it may be behind the log.
type Documents interface {
	// Open lists documents that are not done, in the order of their ids and after one.
	Open(ctx context.Context, after string, limit int) ([]steps.Ref, error)
	// OfBase lists the documents of a base, deleted or not, as of a position at least.
	OfBase(ctx context.Context, base string, at domain.Position, after string, limit int) ([]steps.Ref, error)
}

// Config of a Processor. Everything but After is needed.
type Config struct {
	Handler   *commands.Handler
	Embedder  Embedder
	Index     Index
	Documents Documents
	// After is the clock that is waited by between two tries. Default time.After.
	After func(d time.Duration) <-chan time.Time
}

const (
	// batchPieces is how many pieces are embedded at once: the progress that a
	// client sees, and what a kill can cost.
	batchPieces = 32
	// batchTokens bounds a batch, too: models take no more at once.
	batchTokens = 16 << 10
	// maxTries is how often a batch is tried when the provider fails; pauses
	// between them double.
	maxTries   = 5
	firstPause = time.Second
	// atOnce is how many batches are with models at the same time.
	atOnce = 4
)

// Processor processes documents.
type Processor struct {
	cfg   Config
	slots chan struct{}
}

// New makes a Processor.
func New(cfg Config) *Processor {
	if cfg.After == nil {
		cfg.After = time.After
	}
	return &Processor{cfg: cfg, slots: make(chan struct{}, atOnce)}
}

// job is what a step needs to know of its document.
type job struct {
	knowledge.Settings
	base                  string
	run, chunks, embedded int
}

// Machine is how the executor processes documents.
func (p *Processor) Machine() steps.Machine[knowledge.Document, job] {
	return steps.Machine[knowledge.Document, job]{
		Aggregate: knowledge.Documents, Plan: plan, Perform: p.perform, Open: p.cfg.Documents.Open,
		Job: func(l *commands.Loaded[knowledge.Document], _ string) job {
			d := l.State
			return job{Settings: d.Settings, base: d.BaseID, run: d.Run, chunks: d.Chunks, embedded: d.Embedded}
		},
		Wakes: []string{knowledge.Received{}.EventType(), knowledge.ReprocessingAsked{}.EventType(), knowledge.DocumentDeleted{}.EventType()},
	}
}

// plan names the one step that a document needs now. None of them begins with a
// fact: cutting and waiting have no effects, and embedding may be repeated.
func plan(l *commands.Loaded[knowledge.Document], _ time.Time) steps.Plan[knowledge.Document] {
	d := l.State
	step := ""
	switch {
	case d.Deleted:
	case d.Erased && (d.Status == knowledge.Pending || d.Status == knowledge.Processing):
		return steps.Plan[knowledge.Document]{Advance: knowledge.Fail{Run: d.Run, Error: "it was erased"}}
	case d.Status == knowledge.Pending:
		step = fmt.Sprintf("cut %d", d.Run)
	case d.Status == knowledge.Processing && d.Embedded < d.Chunks:
		step = fmt.Sprintf("embed %d from %d", d.Run, d.Embedded)
	case d.Status == knowledge.Processing:
		step = fmt.Sprintf("index %d", d.Run)
	}
	if step == "" {
		return steps.Plan[knowledge.Document]{}
	}
	return steps.Plan[knowledge.Document]{Steps: []steps.Step[knowledge.Document]{{ID: step}}}
}

func (p *Processor) perform(ctx context.Context, run steps.Ref, _ string, j job) (domain.Decider[knowledge.Document], error) {
	principal := domain.System(run.Organization, run.Workspace)
	gone, err := p.orphaned(ctx, principal, j.base)
	if err != nil {
		return nil, err
	}
	if gone {
		return knowledge.DeleteDocument{}, nil
	}
	if j.chunks > 0 && j.embedded == j.chunks {
		return p.await(ctx, principal, run.ID, j)
	}
	text, err := p.text(ctx, principal, run.ID)
	if err != nil {
		return nil, err
	}
	chunks := knowledge.Cut(text, j.ChunkSize, j.ChunkOverlap)
	if j.chunks == 0 {
		return noteCut(j, chunks), nil
	}
	return p.embed(ctx, principal, j, chunks)
}

// orphaned tells whether the base of a document was deleted.
func (p *Processor) orphaned(ctx context.Context, principal domain.Principal, base string) (bool, error) {
	alive, err := commands.Load(ctx, p.cfg.Handler, knowledge.Bases, principal, base,
		func(l *commands.Loaded[knowledge.Base]) bool { return !l.State.Deleted })
	if err != nil && domain.CodeOf(err) == domain.CodeNotFound {
		return true, nil
	}
	return !alive, err
}

// text collects the text of a document, which its stream begins with.
func (p *Processor) text(ctx context.Context, principal domain.Principal, id string) (text []knowledge.Section, err error) {
	err = commands.Events(ctx, p.cfg.Handler, knowledge.Documents, principal, id, func(e domain.Event) bool {
		switch f := e.Fact.(type) {
		case knowledge.Received:
			return true
		case knowledge.TextKept:
			text = knowledge.Collect(text, f)
			return true
		}
		return false
	})
	return text, err
}

// await waits until everything that was embedded can be found.
func (p *Processor) await(ctx context.Context, principal domain.Principal, id string, j job) (domain.Decider[knowledge.Document], error) {
	var last domain.Position
	err := commands.Events(ctx, p.cfg.Handler, knowledge.Documents, principal, id, func(e domain.Event) bool {
		if _, ok := e.Fact.(knowledge.Embedded); ok {
			last = e.Position
		}
		return true
	})
	if err == nil {
		err = p.cfg.Index.Wait(ctx, last)
	}
	if err != nil {
		return nil, err
	}
	return knowledge.Finish{Run: j.run}, nil
}

func noteCut(j job, chunks []knowledge.Chunk) domain.Decider[knowledge.Document] {
	cut := knowledge.NoteCut{Run: j.run, Chunks: len(chunks)}
	for _, c := range chunks {
		cut.Tokens += c.Tokens
	}
	return cut
}

// embed has the next batch embedded.
func (p *Processor) embed(ctx context.Context, principal domain.Principal, j job, chunks []knowledge.Chunk) (domain.Decider[knowledge.Document], error) {
	if len(chunks) != j.chunks { // another version of the program has cut it
		return knowledge.Fail{Run: j.run, Error: "the text is cut otherwise now; reprocess the document"}, nil
	}
	batch, tokens := []knowledge.Chunk{}, 0
	for _, c := range chunks[j.embedded:] {
		if tokens += c.Tokens; len(batch) == batchPieces || len(batch) > 0 && tokens > batchTokens {
			break
		}
		batch = append(batch, c)
	}
	texts := make([]string, len(batch))
	for i, c := range batch {
		texts[i] = c.Text
	}
	vectors, err := p.try(ctx, principal, j.EmbeddingModel, texts)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return knowledge.Fail{Run: j.run, Error: sentence(err)}, nil
	}
	pieces := make([]knowledge.Piece, len(batch))
	for i := range batch {
		pieces[i] = knowledge.Piece{Chunk: batch[i], Embedding: vectors[i]}
	}
	return knowledge.Embed{Run: j.run, First: j.embedded, Pieces: pieces}, nil
}

// try asks the model, again while it is the provider's fault that it fails.
func (p *Processor) try(ctx context.Context, principal domain.Principal, model string, texts []string) ([][]float32, error) {
	for tries := 1; ; tries++ {
		vectors, err := p.ask(ctx, principal, model, texts)
		if err == nil && len(vectors) != len(texts) {
			err = domain.Errorf(domain.CodeAIService, "the embedding model answered with %d vectors for %d texts", len(vectors), len(texts))
		}
		if err == nil || tries == maxTries || !passing(err) {
			return vectors, err
		}
		select {
		case <-p.cfg.After(firstPause << (tries - 1)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *Processor) ask(ctx context.Context, principal domain.Principal, model string, texts []string) ([][]float32, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-p.slots }()
	return p.cfg.Embedder.Embed(ctx, principal, model, texts)
}

// passing tells faults that may be gone in a moment.
func passing(err error) bool {
	switch domain.CodeOf(err) {
	case domain.CodeAIService, domain.CodeRateLimited, domain.CodeTimeout, domain.CodeUnavailable:
		return true
	}
	return false
}

// sentence is what a client is told of a fault.
func sentence(err error) string {
	if e, ok := errors.AsType[*domain.Error](err); ok {
		return e.Message
	}
	return "the embedding model could not be asked"
}
