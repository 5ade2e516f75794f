package main

import (
	"context"
	"crypto/rand"

	"strata/commands"
	"strata/commands/personauploads"
	"strata/domain"
	"strata/internal/documents"
	"strata/projections"
	model "strata/projections/personas"
	"strata/writeapi/personas"
)

// personaIndex lets uploads find the personas there are by the read model.
type personaIndex struct {
	*model.Queries
	runner *projections.Runner
}

// Find implements personauploads.Index.
func (i personaIndex) Find(ctx context.Context, workspace string, at domain.Position, keys []personauploads.Key) (map[personauploads.Key][]string, error) {
	lag, err := i.runner.Wait(ctx, model.Name, at)
	if err != nil {
		return nil, err
	}
	if lag > 0 {
		return nil, domain.Errorf(domain.CodeUnavailable, "the personas of the workspace are not known up to now; try again")
	}
	pairs := make([][2]string, len(keys))
	for n, k := range keys {
		pairs[n] = k
	}
	found, err := i.Queries.Find(ctx, workspace, pairs)
	if err != nil {
		return nil, err
	}
	out := make(map[personauploads.Key][]string, len(found))
	for k, ids := range found {
		out[k] = ids
	}
	return out, nil
}

func (a *app) personaIndex() personaIndex {
	return personaIndex{Queries: a.models.personas, runner: a.models.runner}
}

// personas completes and takes personas over HTTP.
func (a *app) personas() *personas.Service {
	c := a.cfg.Personas
	return &personas.Service{
		Handler: a.handler, Gateway: a.gateway, Store: a.store, Index: a.personaIndex(), Random: rand.Reader,
		Documents:      documents.New(documents.Config{}),
		Settings:       personas.Settings{Model: c.Model, Expiry: c.UploadExpiry, Limit: int64(c.UploadLimit)},
		RecordPayloads: a.cfg.Gateway.RecordPayloads, At: a.at,
	}
}

// personaUploads applies uploads that were confirmed.
func (a *app) personaUploads() *personauploads.Importer {
	return personauploads.New(personauploads.Config{
		Handler: a.handler, Resources: a.resources, Store: a.store, Codec: a.codec, Index: a.personaIndex(), At: a.at,
		Forget: func(ctx context.Context, p domain.Principal, upload string) error {
			req := commands.Request{Principal: p, IdempotencyKey: upload, Route: "forget the rows of an upload"}
			_, err := a.erasures.Erase(ctx, req, commands.Erasure{Subject: upload, Reason: "the upload of personas has ended"})
			return err
		},
	})
}
