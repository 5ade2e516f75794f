package subjectkeys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

var _ streams.Keys = (*Shared)(nil)

// Shared keeps keys in the log itself, for processes that share one: a stream per
// subject, "subjectkey-…", holds the subject's keys, wrapped with the master key,
// which every process must be given. Nothing is kept on the disk of a process.
//
// A key is made by an append at the revision that its maker has read, so two
// processes never seal under two keys for one subject. Destroying keys appends
// what stays, and hides what was before from the stream: no process reads them
// again, and those that have one in memory are told by [Shared.Follow]. The
// hidden record, of use only with the master key, leaves the log's disk with the
// store's next scavenge.
//
// It is safe for concurrent use.
type Shared struct {
	log    streams.Store
	master Master
	after  domain.Position // what was destroyed up to here cannot be in the cache

	mu    sync.Mutex // guards the fields below
	cache cache
	epoch int // counts destructions: what was read before one may be out of date
}

// OpenShared opens the keys that are in a log. It fails when the master key is
// not the one that the log's keys are wrapped with; the first process to come
// decides.
func OpenShared(ctx context.Context, log streams.Store, master Master) (*Shared, error) {
	if err := checkMaster(ctx, log, master); err != nil {
		return nil, fmt.Errorf("shared keys: %w", err)
	}
	head, err := log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("shared keys: %w", err)
	}
	return &Shared{log: log, master: master, after: head, cache: newCache(cachedKeys)}, nil
}

// Close implements io.Closer; there is nothing to close.
func (*Shared) Close() error { return nil }

const (
	// patience bounds what sealing or opening waits for the log: who asks has no
	// context to give.
	patience = 15 * time.Second
	// mostConflicts is how often other processes may have been faster.
	mostConflicts = 32
)

// Seal implements streams.Keys, as [Store.Seal].
func (s *Shared) Seal(dst []byte, subject streams.Subject, bound, data []byte) ([]byte, error) {
	k, err := s.current(subject)
	if err != nil {
		return nil, domain.Errorf(domain.CodeUnavailable, "no key can be had for personal data; nothing was written").Because(err)
	}
	return k.seal(dst, subject, bound, data)
}

// Open implements streams.Keys. Errors: streams.ErrErased, ErrLost, ErrDamaged.
func (s *Shared) Open(subject streams.Subject, bound, sealed []byte) ([]byte, error) {
	var id uuid.UUID
	if len(sealed) < len(id) {
		return nil, ErrDamaged
	}
	box := sealed[copy(id[:], sealed):]
	k, err := s.key(subject, id)
	if err != nil {
		return nil, err
	}
	return k.open(subject, bound, box)
}

// key finds a key by id among those of its subject.
func (s *Shared) key(subject streams.Subject, id uuid.UUID) (*key, error) {
	s.mu.Lock()
	k, epoch := s.cache.byID(id), s.epoch
	s.mu.Unlock()
	if k != nil {
		return k, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := s.read(ctx, subject)
	if err != nil {
		return nil, err
	}
	if k, err = r.key(s.master, id); err != nil {
		return nil, err
	}
	s.keep(k, epoch)
	return k, nil
}

// keep remembers a key that was read, or made, while the epoch was as told.
func (s *Shared) keep(k *key, epoch int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch == epoch {
		s.cache.add(k)
	}
}

// current returns the living key of a subject, making one when there is none.
func (s *Shared) current(subject streams.Subject) (*key, error) {
	s.mu.Lock()
	k, epoch := s.cache.current(subject), s.epoch
	s.mu.Unlock()
	if k != nil {
		return k, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range mostConflicts {
		r, err := s.read(ctx, subject)
		if err != nil {
			return nil, err
		}
		if id, found := r.living(subject); found {
			k, err = r.key(s.master, id)
		} else {
			k, err = s.make(ctx, r, subject)
		}
		if _, faster := errors.AsType[*streams.WrongRevision](err); faster {
			continue
		}
		if err != nil {
			return nil, err
		}
		s.keep(k, epoch)
		return k, nil
	}
	return nil, errBusy
}

var errBusy = errors.New("shared keys: others change the subject's keys all the time")

// make appends a new key for a subject.
func (s *Shared) make(ctx context.Context, r *ring, subject streams.Subject) (*key, error) {
	id, plain := domain.NewEventID(), newSecret()
	wrapped, err := s.master.Wrap(plain, boundTo(id, subject))
	if err != nil {
		return nil, err
	}
	m := made{Key: id, Organization: subject.Organization, Workspace: subject.Workspace, Subject: subject.ID, Wrapped: wrapped}
	p, err := m.propose()
	if err != nil {
		return nil, err
	}
	if _, err := s.log.Append(ctx, r.stream, streams.At(r.revision), p); err != nil {
		return nil, fmt.Errorf("shared keys: %w", err)
	}
	return newKey(id, subject, plain)
}

// Living lists the keys of a subject that are not destroyed. An empty workspace
// stands for all of the organization, which must be given.
func (s *Shared) Living(ctx context.Context, subject streams.Subject) ([]uuid.UUID, error) {
	r, err := s.read(ctx, subject)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, m := range r.keys {
		if subject.Workspace == "" || subject.Workspace == m.Workspace {
			ids = append(ids, m.Key)
		}
	}
	return ids, nil
}

// Destroy destroys keys for good; those that are destroyed already are passed
// over. When it returns no process can read them from the log, and this one has
// them in memory no more.
func (s *Shared) Destroy(ctx context.Context, keys []streams.SubjectKey, _ time.Time) error {
	for _, of := range bySubject(keys) {
		if err := s.destroy(ctx, of.subject, of.ids); err != nil {
			return fmt.Errorf("shared keys: %w", err)
		}
		s.drop(of.ids)
	}
	return nil
}

// drop takes keys out of memory.
func (s *Shared) drop(ids []uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	for _, id := range ids {
		s.cache.drop(id)
	}
}

func (s *Shared) destroy(ctx context.Context, subject streams.Subject, ids []uuid.UUID) error {
	for range mostConflicts {
		r, err := s.read(ctx, subject)
		if err != nil {
			return err
		}
		if !r.lacks(ids) {
			return s.hide(ctx, r)
		}
		events, err := r.without(ids)
		if err != nil {
			return err
		}
		_, err = s.log.Append(ctx, r.stream, streams.At(r.revision), events...)
		if _, faster := errors.AsType[*streams.WrongRevision](err); err != nil && !faster {
			return err
		} // read once more: it has to be hidden, too
	}
	return errBusy
}

// hide hides what a stream held before its last destruction.
func (s *Shared) hide(ctx context.Context, r *ring) error {
	if r.first >= r.begins {
		return nil
	}
	m, err := s.log.StreamMeta(ctx, r.stream)
	if err != nil {
		return err
	}
	m.TruncateBefore = max(m.TruncateBefore, r.begins)
	return s.log.SetStreamMeta(ctx, r.stream, m)
}

// Follow drops keys from memory as other processes destroy them, until ctx ends.
// What they hold for longer than it takes to be told, they could not have read.
func (s *Shared) Follow(ctx context.Context, logger *slog.Logger) error {
	const pause = time.Second
	for {
		err := s.follow(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		logger.WarnContext(ctx, "destroyed keys cannot be followed; trying again", "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Shared) follow(ctx context.Context) (err error) {
	sub, err := s.log.Subscribe(ctx, s.after, &streams.Filter{Categories: []string{sharedCategory}, Types: []string{typeDestroyed}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	for {
		b, err := sub.Next(ctx, 100)
		if err != nil {
			return err
		}
		for _, e := range b.Events {
			var d destroyed
			if err := d.decode(e); err != nil {
				return err
			}
			s.drop(d.Keys)
		}
		s.after = b.Position
	}
}

// subjectKeys are keys of one subject of an organization.
type subjectKeys struct {
	subject streams.Subject
	ids     []uuid.UUID
}

// bySubject puts keys that are in one stream together, in the order they came.
func bySubject(keys []streams.SubjectKey) []subjectKeys {
	var out []subjectKeys
	for _, k := range keys {
		i := slices.IndexFunc(out, func(o subjectKeys) bool {
			return o.subject.Organization == k.Subject.Organization && o.subject.ID == k.Subject.ID
		})
		if i < 0 {
			i, out = len(out), append(out, subjectKeys{subject: k.Subject})
		}
		out[i].ids = append(out[i].ids, k.ID)
	}
	return out
}
