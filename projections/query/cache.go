package query

import (
	"container/list"
	"sync"
)

// Cache keeps the values read last. A projection's commit hook calls Forget for
// what the commit has changed; a value that was being read from the database at
// that moment is then not kept, so the cache never holds what a committed event
// has made old. The zero value is not usable; see NewCache.
type Cache[V any] struct {
	mu      sync.Mutex
	max     int
	entries map[string]*list.Element
	recent  *list.List // of *entry[V], most recently used first
	changes uint64     // counts Forget calls
}

type entry[V any] struct {
	key   string
	value V
}

// NewCache makes a cache of at most max values.
func NewCache[V any](max int) *Cache[V] {
	return &Cache[V]{max: max, entries: map[string]*list.Element{}, recent: list.New()}
}

// Get returns the value of key, reading it with load when it is not kept.
// Errors are returned and not kept.
func (c *Cache[V]) Get(key string, load func() (V, error)) (V, error) {
	c.mu.Lock()
	if e, ok := c.entries[key]; ok {
		c.recent.MoveToFront(e)
		v := e.Value.(*entry[V]).value
		c.mu.Unlock()
		return v, nil
	}
	before := c.changes
	c.mu.Unlock()

	v, err := load()
	if err != nil {
		return v, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes == before {
		c.put(key, v)
	}
	return v, nil
}

func (c *Cache[V]) put(key string, v V) {
	if e, ok := c.entries[key]; ok {
		e.Value.(*entry[V]).value = v
		return
	}
	c.entries[key] = c.recent.PushFront(&entry[V]{key, v})
	if c.recent.Len() > c.max {
		oldest := c.recent.Back()
		c.recent.Remove(oldest)
		delete(c.entries, oldest.Value.(*entry[V]).key)
	}
}

// Clear drops everything, when other rows have taken the place of those that
// were read.
func (c *Cache[V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	clear(c.entries)
	c.recent.Init()
}

// Forget drops the values of keys.
func (c *Cache[V]) Forget(keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for _, key := range keys {
		if e, ok := c.entries[key]; ok {
			c.recent.Remove(e)
			delete(c.entries, key)
		}
	}
}
