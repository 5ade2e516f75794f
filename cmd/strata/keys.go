package main

import (
	"context"
	"errors"
	"fmt"

	"strata/commands"
	"strata/internal/config"
	"strata/internal/secrets"
	"strata/internal/subjectkeys"
	"strata/streams"
)

// openKeys opens the master key and the subjects' keys, with which the codec
// reads and writes personal data.
func (a *app) openKeys(ctx context.Context) (err error) {
	if a.local == nil {
		return a.openSharedKeys(ctx)
	}
	if a.sealer, a.keys, a.codec, err = openKeys(ctx, a.cfg, a.store); err != nil {
		return err
	}
	a.onClose(a.keys.Close)
	return nil
}

// subjectKeys are the keys that personal data is sealed under.
type subjectKeys interface {
	streams.Keys
	commands.SubjectKeys
	Close() error
}

// errNoMaster says that processes cannot agree on a key of their own making.
var errNoMaster = errors.New("the event log is shared, so every node must be given the same master key: " +
	"set STRATA_MASTER_KEY to 32 random bytes, for example of `openssl rand -base64 32`, and keep a copy")

// openSharedKeys opens the keys that are in the log which several processes share.
func (a *app) openSharedKeys(ctx context.Context) (err error) {
	if a.cfg.Secrets.MasterKey == "" {
		return errNoMaster
	}
	if a.sealer, err = secrets.Load(a.cfg.Secrets.MasterKey, ""); err != nil {
		return err
	}
	if a.keys, err = subjectkeys.OpenShared(ctx, a.store, a.sealer); err != nil {
		return err
	}
	a.onClose(a.keys.Close)
	a.codec, err = newCodec(a.keys)
	return err
}

// followKeys learns of keys that other processes destroy.
func (a *app) followKeys(work context.Context) {
	if s, ok := a.keys.(*subjectkeys.Shared); ok {
		a.run(work, "subject keys", func(ctx context.Context) error { return s.Follow(ctx, a.log) })
	}
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
