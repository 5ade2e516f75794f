// Package ratelimit counts requests with token buckets: one for the caller's
// key and one for the workspace that the key works in. A request takes a token
// from both or from none.
//
// A bucket holds as many tokens as its tier allows per minute and is refilled
// evenly. Buckets that are full again are forgotten, and their number is
// bounded, so an attacker inventing keys cannot fill the memory. The state can
// be saved and loaded ([Keeper]), so a restart does not hand out fresh tokens.
package ratelimit

import (
	"hash/maphash"
	"math"
	"sync"
	"time"
)

// Limits are the requests per minute of a tier.
type Limits struct {
	Key       int `yaml:"key"`       // of one key; must be positive
	Workspace int `yaml:"workspace"` // of a workspace, over all its keys; must be positive
}

// Unlimited is what a tier without a limit is given: a bucket nobody empties.
const Unlimited = 1_000_000_000

// The tiers that exist by default.
const (
	Free       = "free"
	Pro        = "pro"
	Enterprise = "enterprise"
	Anonymous  = "anonymous" // requests without a valid credential, per address
)

// DefaultTiers returns the limits of the API's conventions: free 100 and pro
// 1000 requests a minute, enterprise without limit.
func DefaultTiers() map[string]Limits {
	return map[string]Limits{
		Free:       {Key: 100, Workspace: 100},
		Pro:        {Key: 1000, Workspace: 1000},
		Enterprise: {Key: Unlimited, Workspace: Unlimited},
		Anonymous:  {Key: 100, Workspace: 100},
	}
}

const (
	shardCount       = 64
	defaultMaxBucket = 200_000
)

// Config is how a Limiter is set up. The zero value is usable.
type Config struct {
	Tiers      map[string]Limits // default DefaultTiers; a tier that is not listed counts as free
	MaxBuckets int               // buckets kept in memory; default 200,000
	Now        func() time.Time  // default time.Now
}

// Decision is the answer to a request, and what the X-RateLimit headers say.
// Of the two buckets it tells of the one with fewer tokens left.
type Decision struct {
	OK         bool
	Limit      int           // requests per minute
	Remaining  int           // requests left now
	Reset      time.Time     // when the bucket is full again
	RetryAfter time.Duration // when refused: how long until a token is there
}

// Limiter hands out tokens. It is safe for concurrent use.
type Limiter struct {
	tiers  map[string]Limits
	now    func() time.Time
	seed   maphash.Seed
	shards [shardCount]shard
	max    int // buckets per shard
}

type shard struct {
	mu      sync.Mutex
	buckets map[owner]*bucket
}

// owner is whose bucket it is: "k" a key's, "w" a workspace's.
type owner struct{ kind, name string }

const (
	ofKey       = "k"
	ofWorkspace = "w"
)

// bucket is a number of tokens at an instant. Refill is computed when it is
// touched, so no timer runs.
type bucket struct {
	tokens float64
	limit  float64
	at     int64 // nanoseconds of the Unix clock
}

// New returns a Limiter.
func New(c Config) *Limiter {
	if c.Tiers == nil {
		c.Tiers = DefaultTiers()
	}
	if c.MaxBuckets <= 0 {
		c.MaxBuckets = defaultMaxBucket
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	l := &Limiter{tiers: c.Tiers, now: c.Now, seed: maphash.MakeSeed(), max: max(c.MaxBuckets/shardCount, 1)}
	for i := range l.shards {
		l.shards[i].buckets = map[owner]*bucket{}
	}
	return l
}

func (l *Limiter) limits(tier string) Limits {
	if limits, ok := l.tiers[tier]; ok {
		return limits
	}
	if limits, ok := l.tiers[Free]; ok {
		return limits
	}
	return Limits{Key: 100, Workspace: 100}
}

// Take asks for one request of a key in a workspace ("" for none) on a tier.
func (l *Limiter) Take(key, workspace, tier string) Decision {
	limits, now := l.limits(tier), l.now()
	own := l.take(owner{ofKey, key}, limits.Key, now)
	if workspace == "" || !own.OK {
		return own
	}
	shared := l.take(owner{ofWorkspace, workspace}, limits.Workspace, now)
	if !shared.OK {
		l.giveBack(owner{ofKey, key})
		return shared
	}
	if shared.Remaining < own.Remaining {
		return shared
	}
	return own
}

func (l *Limiter) shard(o owner) *shard {
	return &l.shards[maphash.String(l.seed, o.name)%shardCount]
}

func (l *Limiter) take(o owner, limit int, now time.Time) Decision {
	s, at := l.shard(o), now.UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[o]
	if b == nil {
		if len(s.buckets) >= l.max {
			s.evict(at, l.max)
		}
		b = &bucket{tokens: float64(limit), at: at}
		s.buckets[o] = b
	}
	b.limit = float64(limit)
	b.refill(at)
	d := Decision{OK: b.tokens >= 1, Limit: limit}
	if d.OK {
		b.tokens--
	} else {
		d.RetryAfter = b.until(1)
	}
	d.Remaining = int(b.tokens)
	d.Reset = now.Add(b.until(b.limit))
	return d
}

func (l *Limiter) giveBack(o owner) {
	s := l.shard(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.buckets[o]; b != nil {
		b.tokens = min(b.tokens+1, b.limit)
	}
}

// refill adds what time has brought. A clock that went backwards brings nothing.
func (b *bucket) refill(at int64) {
	if at > b.at {
		b.tokens += float64(at-b.at) * b.limit / float64(time.Minute)
	}
	b.at = max(b.at, at)
	b.tokens = min(b.tokens, b.limit)
}

// until is how long it takes to hold n tokens.
func (b *bucket) until(n float64) time.Duration {
	if b.tokens >= n {
		return 0
	}
	return time.Duration(math.Ceil((n - b.tokens) * float64(time.Minute) / b.limit))
}

// evict makes room: buckets that are full again say nothing and go first, then
// any, until a tenth is free. Forgetting a bucket forgives its key at most one
// minute of requests, which is the price of a bound on memory.
func (s *shard) evict(at int64, limit int) {
	for o, b := range s.buckets {
		if b.refill(at); b.tokens >= b.limit {
			delete(s.buckets, o)
		}
	}
	for o := range s.buckets {
		if len(s.buckets) < limit-limit/10 {
			return
		}
		delete(s.buckets, o)
	}
}
