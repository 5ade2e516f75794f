package query

import (
	"container/list"
	"sync"
)

// Cache keeps the values read last. A projection's commit hook calls Forget for
// what the commit has changed; a value that was being read from the database at
// that moment is then not kept, so the cache never holds what a committed event
// has made old. The zero value is not usable; see NewCache and NewSizedCache.
type Cache[V any] struct {
	mu      sync.Mutex
	max     int
	size    func(V) int
	used    int // sum of the sizes
	entries map[string]*list.Element
	recent  *list.List // of *entry[V], most recently used first
	changes Moment
}

type entry[V any] struct {
	key   string
	value V
	size  int
}

// Moment orders reading and forgetting: it counts Forget and Clear.
type Moment uint64

// NewCache makes a cache of at most max values.
func NewCache[V any](max int) *Cache[V] { return NewSizedCache(max, func(V) int { return 1 }) }

// NewSizedCache makes a cache of values whose sizes add up to at most max. A
// value that would take more than an eighth of it is not kept.
func NewSizedCache[V any](max int, size func(V) int) *Cache[V] {
	return &Cache[V]{max: max, size: size, entries: map[string]*list.Element{}, recent: list.New()}
}

// Get returns the value of key, reading it with load when it is not kept.
// Errors are returned and not kept.
func (c *Cache[V]) Get(key string, load func() (V, error)) (V, error) {
	v, found, since := c.Find(key)
	if found {
		return v, nil
	}
	v, err := load()
	if err == nil {
		c.Keep(since, key, v)
	}
	return v, err
}

// Find returns the value of key if it is kept. If not, what is read from now on
// can be given to Keep with the moment.
func (c *Cache[V]) Find(key string) (v V, found bool, since Moment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[key]; ok {
		c.recent.MoveToFront(e)
		return e.Value.(*entry[V]).value, true, c.changes
	}
	return v, false, c.changes
}

// Keep keeps a value that was read after a moment, unless anything was forgotten
// since.
func (c *Cache[V]) Keep(since Moment, key string, v V) {
	size := c.size(v)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.changes != since || size > max(1, c.max/8) {
		return
	}
	c.drop(key)
	c.entries[key] = c.recent.PushFront(&entry[V]{key, v, size})
	for c.used += size; c.used > c.max; {
		c.drop(c.recent.Back().Value.(*entry[V]).key)
	}
}

// drop forgets a key, if it is there. The mutex is held.
func (c *Cache[V]) drop(key string) {
	if e, ok := c.entries[key]; ok {
		c.used -= e.Value.(*entry[V]).size
		c.recent.Remove(e)
		delete(c.entries, key)
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
	c.used = 0
}

// Forget drops the values of keys.
func (c *Cache[V]) Forget(keys ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	for _, key := range keys {
		c.drop(key)
	}
}
