package subjectkeys

import (
	"bytes"

	"github.com/google/uuid"

	"strata/streams"
)

// cache keeps the most recently used keys in two generations: when the young
// one is full, it becomes the old one, and the old one is forgotten. What is
// used of the old one moves to the young one.
type cache struct {
	half       int
	young, old generation
}

type generation struct {
	ids      map[uuid.UUID]*key
	subjects map[streams.Subject]*key // living keys only
}

func newGeneration() generation {
	return generation{ids: map[uuid.UUID]*key{}, subjects: map[streams.Subject]*key{}}
}

func newCache(size int) cache {
	return cache{half: max(1, size/2), young: newGeneration(), old: newGeneration()}
}

func (c *cache) add(k *key) {
	if len(c.young.ids) >= c.half {
		c.old, c.young = c.young, newGeneration()
	}
	c.young.ids[k.id] = k
	if k.aead != nil {
		c.young.subjects[k.subject] = k
	}
}

// current returns the living key of a subject, if it is known.
func (c *cache) current(s streams.Subject) *key {
	if k := c.young.subjects[s]; k != nil {
		return k
	}
	k := c.old.subjects[s]
	if k != nil {
		c.add(k)
	}
	return k
}

func (c *cache) byID(id uuid.UUID) *key {
	if k := c.young.ids[id]; k != nil {
		return k
	}
	k := c.old.ids[id]
	if k != nil {
		c.add(k)
	}
	return k
}

func (c *cache) drop(id uuid.UUID) {
	for _, g := range []generation{c.young, c.old} {
		if k := g.ids[id]; k != nil {
			delete(g.ids, id)
			if g.subjects[k.subject] == k {
				delete(g.subjects, k.subject)
			}
		}
	}
}

// The number of keys that are read at a time.
const (
	fewestAhead = 8
	mostAhead   = 512
	// maxBehind is how many keys in a row may lie behind the last window before
	// the reader is taken to have begun anew.
	maxBehind = 64
)

// window decides how many keys to read at a time. The log names keys roughly in
// the order they were made in, so a fold of the whole log goes forwards through
// the store, and reading ahead saves it a query per key. Those that it then
// finds behind the window, because neighbours were written out of order, are
// few and do not narrow it.
type window struct {
	size   int
	last   uuid.UUID // the last key that was read ahead
	behind int
}

func (w *window) next(id uuid.UUID) int {
	if bytes.Compare(id[:], w.last[:]) > 0 {
		w.size, w.behind = min(max(2*w.size, fewestAhead), mostAhead), 0
		return w.size
	}
	if w.behind++; w.behind > maxBehind {
		*w = window{last: id}
	}
	return fewestAhead
}

// reached notes the last key that was read.
func (w *window) reached(id uuid.UUID) {
	if bytes.Compare(id[:], w.last[:]) > 0 {
		w.last = id
	}
}
