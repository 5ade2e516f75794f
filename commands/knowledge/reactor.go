package knowledge

import (
	"context"
	"errors"

	"strata/commands"
	"strata/domain"
	"strata/domain/knowledge"
	"strata/streams"
)

// deletedAtOnce is how many documents are listed together.
const deletedAtOnce = 200

// Reactor deletes the documents of a base that was deleted.
type Reactor struct{ p *Processor }

// Reactor returns the reactor of a processor.
func (p *Processor) Reactor() Reactor { return Reactor{p} }

// Name implements logbus.Reactor.
func (Reactor) Name() string { return "knowledge-bases" }

// Filter implements logbus.Reactor.
func (Reactor) Filter() *streams.Filter {
	return &streams.Filter{Categories: []string{knowledge.Bases.Category}, Types: []string{knowledge.BaseDeleted{}.EventType()}}
}

// Handle implements logbus.Reactor. A document that comes in at the same moment is
// deleted by its own run, which looks for its base.
func (r Reactor) Handle(ctx context.Context, e domain.Event) error {
	for after := ""; ; {
		refs, err := r.p.cfg.Documents.OfBase(ctx, e.Stream.Key(), e.Position, after, deletedAtOnce)
		if err != nil || len(refs) == 0 {
			return err
		}
		for _, ref := range refs {
			req := commands.Request{Principal: domain.System(ref.Organization, ref.Workspace), ID: ref.ID, CausationID: e.ID.String(), CorrelationID: e.Meta.CorrelationID}
			_, err := commands.Run[knowledge.Document, struct{}](ctx, r.p.cfg.Handler, knowledge.Documents, req, knowledge.DeleteDocument{}, nil)
			if err != nil && !errors.Is(err, domain.ErrNotFound) {
				return err
			}
			after = ref.ID
		}
	}
}
