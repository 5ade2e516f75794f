package main

import (
	"context"
	"time"

	commands "strata/commands/memories"
	"strata/domain"
	"strata/domain/memory"
	"strata/internal/config"
	"strata/projections/memories"
)

// rememberer embeds memories and removes the expired.
func (a *app) rememberer() *commands.Reactor {
	c := a.cfg.Memories
	return commands.New(commands.Config{Handler: a.handler, Embedder: embedder{a.gateway}, Index: memoryIndex{a.models.memories, a},
		Model: c.EmbeddingModel, Duplicate: hundredths(c.DuplicateSimilarity)})
}

// memoryIndex finds memories that are alike.
type memoryIndex struct {
	*memories.Queries
	app *app
}

// catchUpWithin bounds how long comparing a memory waits for what was written before.
const catchUpWithin = 5 * time.Second

// CatchUp implements memories.Index of the commands.
func (m memoryIndex) CatchUp(ctx context.Context) error {
	head, err := m.app.store.Head(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, catchUpWithin)
	defer cancel()
	lag, err := m.app.models.runner.Wait(ctx, memories.Name, head)
	if err == nil && lag > 0 {
		err = domain.Errorf(domain.CodeUnavailable, "the memories' read model is behind")
	}
	return err
}

// meaning lets memories be searched by meaning.
func (a *app) meaning() meaning { return meaning{embedder{a.gateway}, a.cfg.Memories} }

type meaning struct {
	embedder embedder
	cfg      config.Memories
}

// Model implements readapi.Meaning.
func (m meaning) Model() string { return m.cfg.EmbeddingModel }

// Of implements readapi.Meaning.
func (m meaning) Of(ctx context.Context, p domain.Principal, text string) (memories.Meaning, error) {
	if m.cfg.EmbeddingModel == "" {
		return memories.Meaning{}, nil
	}
	vectors, err := m.embedder.Embed(ctx, p, m.cfg.EmbeddingModel, []string{commands.Cut(text)})
	if err != nil {
		return memories.Meaning{}, err
	}
	if len(vectors) != 1 {
		return memories.Meaning{}, domain.Errorf(domain.CodeAIService, "the embedding model answered with %d vectors for one text", len(vectors))
	}
	return memories.Meaning{Model: m.cfg.EmbeddingModel, Vector: memory.Pack(vectors[0]), Least: hundredths(m.cfg.LeastSimilarity)}, nil
}

func hundredths(n int) float64 { return float64(n) / 100 }
