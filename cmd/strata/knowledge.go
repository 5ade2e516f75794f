package main

import (
	"context"

	"strata/commands/knowledge"
	"strata/commands/steps"
	"strata/domain"
	domainknowledge "strata/domain/knowledge"
	"strata/internal/documents"
	"strata/internal/view"
	"strata/projections"
	model "strata/projections/knowledge"
	"strata/projections/vectors"
	"strata/readapi"
	service "strata/writeapi/knowledge"
)

// vectorQueries are the queries of the table of vectors.
func (a *app) vectorQueries() *vectors.Queries {
	return vectors.NewQueries(a.click, a.tablesOwner().Installation)
}

// shelves are the knowledge bases as the write side knows them.
type shelves struct{ *model.Retriever }

// Resolve implements knowledge.Library.
func (s shelves) Resolve(ctx context.Context, p domain.Principal, name string) (*domainknowledge.Base, error) {
	b, err := s.Queries.Base(ctx, p.Workspace, name)
	return &b.Base, err
}

// Totals implements knowledge.Library.
func (s shelves) Totals(ctx context.Context, p domain.Principal, id string) (view.KnowledgeTotals, error) {
	b, err := s.Queries.Base(ctx, p.Workspace, id)
	return readapi.TotalsOf(b.Totals), err
}

// Index implements knowledge.Library.
func (shelves) Index(base string) string { return model.IndexOf(base) }

// retriever finds pieces of knowledge bases.
func (a *app) retriever() *model.Retriever {
	return &model.Retriever{Queries: a.models.knowledge, Vectors: a.vectorQueries(), Embedder: embedder{a.gateway}}
}

// hasBase tells whether a workspace has a knowledge base, one that was made a moment
// ago included.
func (a *app) hasBase(ctx context.Context, workspace, name string) (bool, error) {
	for caughtUp := false; ; caughtUp = true {
		_, err := a.models.knowledge.Base(ctx, workspace, name)
		if err == nil || domain.CodeOf(err) != domain.CodeNotFound {
			return err == nil, err
		}
		if caughtUp {
			return false, nil
		}
		head, err := a.store.Head(ctx)
		if err == nil {
			_, err = a.models.runner.Wait(ctx, model.Name, head)
		}
		if err != nil {
			return false, err
		}
	}
}

// knowledgeService serves what changes knowledge bases, and what costs model calls.
func (a *app) knowledgeService() *service.Service {
	return &service.Service{Handler: a.handler, Resources: a.resources, Gateway: a.gateway, RecordPayloads: a.cfg.Gateway.RecordPayloads,
		Library:   shelves{a.retriever()},
		Extractor: documents.New(documents.Config{Limits: documents.Limits{Text: domainknowledge.MaxText}})}
}

// library is what the read side knows of knowledge bases.
func (a *app) library() readapi.Library {
	return readapi.Library{Queries: a.models.knowledge, Pieces: a.vectorQueries().Pieces}
}

// processor processes what comes into knowledge bases.
func (a *app) processor() *knowledge.Processor {
	return knowledge.New(knowledge.Config{Handler: a.handler, Embedder: embedder{a.gateway}, Index: a.vectorQueries(),
		Documents: documentList{a.models.knowledge, a.models.runner, a.store.Head}})
}

// documentList lets the processor list documents by the read model.
type documentList struct {
	queries *model.Queries
	runner  *projections.Runner
	head    func(context.Context) (domain.Position, error)
}

// Open implements knowledge.Documents.
func (l documentList) Open(ctx context.Context, after string, limit int) ([]steps.Ref, error) {
	if after == "" { // what the log has now must be known
		head, err := l.head(ctx)
		if err != nil {
			return nil, err
		}
		if _, err := l.runner.Wait(ctx, model.Name, head); err != nil {
			return nil, err
		}
	}
	return refs(l.queries.Open(ctx, after, limit))
}

// OfBase implements knowledge.Documents.
func (l documentList) OfBase(ctx context.Context, base string, at domain.Position, after string, limit int) ([]steps.Ref, error) {
	if _, err := l.runner.Wait(ctx, model.Name, at); err != nil {
		return nil, err
	}
	return refs(l.queries.OfBase(ctx, base, after, limit))
}

func refs(ids [][3]string, err error) ([]steps.Ref, error) {
	list := make([]steps.Ref, len(ids))
	for i, id := range ids {
		list[i] = steps.Ref{ID: id[0], Organization: id[1], Workspace: id[2]}
	}
	return list, err
}
