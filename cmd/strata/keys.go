package main

import (
	"context"
	"errors"
	"fmt"

	"strata/internal/config"
	"strata/internal/secrets"
	"strata/internal/subjectkeys"
	"strata/streams"
)

// openKeys opens the master key and the subjects' keys, with which the codec
// reads and writes personal data.
func (a *app) openKeys(ctx context.Context) (err error) {
	if a.sealer, a.keys, a.codec, err = openKeys(ctx, a.cfg, a.store); err != nil {
		return err
	}
	a.onClose(a.keys.Close)
	return nil
}

func openKeys(ctx context.Context, cfg *config.Config, store streams.Store) (*secrets.Sealer, *subjectkeys.Store, *streams.Codec, error) {
	sealer, err := secrets.Load(cfg.Secrets.MasterKey, cfg.Data.KeyFile())
	if err != nil {
		return nil, nil, nil, err
	}
	keys, err := subjectkeys.Open(ctx, cfg.Data.SubjectKeysFile(), sealer)
	if err != nil {
		return nil, nil, nil, err
	}
	err = checkKeys(ctx, cfg, keys, store)
	codec, codecErr := newCodec(keys)
	if err := errors.Join(err, codecErr); err != nil {
		return nil, nil, nil, errors.Join(err, keys.Close())
	}
	return sealer, keys, codec, nil
}

// checkKeys refuses to go on without the keys that the log needs: what cannot
// be opened must not be taken for erased, nor new keys be made beside the lost.
func checkKeys(ctx context.Context, cfg *config.Config, keys *subjectkeys.Store, store streams.Store) error {
	if !keys.Fresh() {
		return nil
	}
	for e, err := range store.ReadAll(ctx, streams.ReadAll{}) {
		if err != nil {
			return fmt.Errorf("look for sealed events: %w", err)
		}
		if streams.Sealed(e) {
			return fmt.Errorf("the log holds data sealed under subject keys (event %d first), but %s has none: restore that file from a backup",
				e.Position, cfg.Data.SubjectKeysFile())
		}
	}
	return nil
}
