package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"strata/commands"
	"strata/domain"
	"strata/domain/node"
	"strata/streams"
)

// openNode names this process among those that share the log. Without a name of
// its own in the configuration it is called as its data directory says, which is
// what an erasure has to reach.
func (a *app) openNode(context.Context) (err error) {
	if a.local != nil {
		return nil
	}
	if a.node = a.cfg.Node.Name; a.node != "" {
		return nil
	}
	if err := os.MkdirAll(a.cfg.Data.Dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(a.cfg.Data.Dir, "node")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(domain.NewID(a.role.String()) + "\n")
		err = os.WriteFile(file, text, 0o600)
	}
	a.node = strings.TrimSpace(string(text))
	return err
}

// place names a place of this node, so that several have one each.
func (a *app) place(name string) string {
	if a.local != nil {
		return name
	}
	return name + "@" + a.node
}

// joinNodes makes this node known, before it reads anything that may have to be
// erased from it.
func (a *app) joinNodes(ctx context.Context, places []string) error {
	join := node.Join{Role: a.role.String(), Places: places}
	_, err := commands.Run[node.State, struct{}](ctx, a.handler, node.Aggregate,
		commands.Request{Principal: domain.System("", ""), ID: a.node, Create: true}, join, nil)
	if err != nil {
		return fmt.Errorf("join the installation: %w", err)
	}
	return nil
}

// nodes are those that are part of the installation, by name.
func (a *app) nodes(ctx context.Context) ([]node.State, error) {
	folded := map[string]*node.State{}
	for r, err := range a.store.ReadAll(ctx, streams.ReadAll{Filter: &streams.Filter{Categories: []string{node.Category}}}) {
		if err != nil {
			return nil, fmt.Errorf("read the nodes: %w", err)
		}
		e, err := a.codec.Decode(r)
		if err != nil {
			return nil, err
		}
		name := r.Stream.Key()
		if folded[name] == nil {
			folded[name] = node.Aggregate.New(name)
		}
		node.Aggregate.Apply(folded[name], e)
	}
	var all []node.State
	for _, s := range folded {
		if !s.Left {
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(x, y node.State) int { return strings.Compare(x.Name, y.Name) })
	return all, nil
}

// allPlaces are what an erasure has to clean, at every node.
func (a *app) allPlaces(ctx context.Context) ([]string, error) {
	all, err := a.nodes(ctx)
	if err != nil {
		return nil, err
	}
	var places []string
	for _, n := range all {
		for _, p := range n.Places {
			if !slices.Contains(places, p) { // what nodes share is cleaned once
				places = append(places, p)
			}
		}
	}
	return places, nil
}
