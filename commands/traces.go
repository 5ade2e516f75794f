package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"strata/domain"
	"strata/streams"
)

// traces is what the log holds of a subject.
type traces struct {
	Forgotten
	events   int64
	unsealed int64 // written before there were keys
}

// find looks through the log for a subject's events. Erasing is rare enough to
// read all of a workspace for it, and the log can say of most segments that they
// hold nothing of it.
func (e *Erasures) find(ctx context.Context, s streams.Subject) (traces, error) {
	t := traces{Forgotten: Forgotten{Subject: s, Streams: map[domain.StreamID]bool{}}}
	var err error
	if t.Head, err = e.cfg.Handler.cfg.Store.Head(ctx); err != nil {
		return t, fmt.Errorf("head of the log: %w", err)
	}
	id, err := json.Marshal(s.ID)
	if err != nil {
		return t, err
	}
	mark := append([]byte(`"subject":`), id...) // as the codec writes it
	for r, err := range e.cfg.Handler.cfg.Store.ReadAll(ctx, streams.ReadAll{Filter: &streams.Filter{Workspace: s.Workspace}}) {
		if err != nil {
			return t, fmt.Errorf("look for events of the subject: %w", err)
		}
		if !bytes.Contains(r.Meta, mark) {
			continue
		}
		var meta domain.Metadata
		if err := json.Unmarshal(r.Meta, &meta); err != nil {
			return t, fmt.Errorf("metadata of event %d: %w", r.Position, err)
		}
		if meta.Subject != s.ID || meta.Organization != s.Organization || s.Workspace != "" && meta.Workspace != s.Workspace {
			continue
		}
		t.Streams[r.Stream] = true
		if !slices.Contains(t.Workspaces, meta.Workspace) {
			t.Workspaces = append(t.Workspaces, meta.Workspace)
		}
		t.events++
		if !streams.Sealed(r) {
			t.unsealed++
		}
	}
	return t, nil
}
