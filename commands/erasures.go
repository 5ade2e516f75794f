package commands

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"strata/domain"
	"strata/domain/identity"
	"strata/domain/privacy"
	"strata/streams"
)

// SubjectKeys are the keys that personal data is sealed under.
type SubjectKeys interface {
	// Living lists the keys of a subject that are not destroyed. An empty
	// workspace stands for the whole organization.
	Living(ctx context.Context, s streams.Subject) ([]uuid.UUID, error)
	// Destroy destroys keys for good; those that are destroyed already are
	// passed over.
	Destroy(ctx context.Context, keys []streams.SubjectKey, at time.Time) error
}

// Forgotten says what a place must forget.
type Forgotten struct {
	// Subject whose data is erased; an empty Workspace stands for the whole
	// organization.
	Subject streams.Subject
	// Streams hold events of the subject.
	Streams map[domain.StreamID]bool
	// Workspaces are those in which there is any.
	Workspaces []string
	// Head is the log's last position when the keys were gone: what was written
	// later cannot be read by anybody.
	Head domain.Position
}

// Place may hold what was read of personal events before their key was destroyed.
type Place struct {
	Name string
	// Forget removes all of it for good, from the disk too. It is repeated after
	// a fault, and after a crash.
	Forget func(ctx context.Context, f Forgotten) error
	// Mine tells whether this process is the one to do it now, of several that have
	// the place; nil: it is.
	Mine func() bool
}

// ErasuresConfig is what erasing needs.
type ErasuresConfig struct {
	Handler *Handler
	Keys    SubjectKeys
	Places  []Place
	// AllPlaces names the places of all processes that share the log; each cleans
	// its own, and learns by Follow what others began. Nil: Places are all there are.
	AllPlaces func(ctx context.Context) ([]string, error)
	// Ready waits until the places can be asked; nil when they always can.
	Ready func(ctx context.Context) error
	Retry time.Duration // pause after a place has failed; 0: 5 s
}

// Erasures erases people's data: it is the process manager that carries out
// what the log says is to be erased, from the intent to the last copy.
type Erasures struct {
	cfg ErasuresConfig
	log *slog.Logger

	mu      sync.Mutex
	pending []string                 // erasures to be carried out, in order
	nudged  map[string]bool          // of them, those to look at once more
	since   domain.Position          // where Follow begins
	done    map[string]chan struct{} // closed when one is completed
	wake    chan struct{}
}

// NewErasures makes the process manager; Run carries erasures out.
func NewErasures(cfg ErasuresConfig) *Erasures {
	if cfg.Retry == 0 {
		cfg.Retry = 5 * time.Second
	}
	return &Erasures{cfg: cfg, log: cfg.Handler.cfg.Logger, done: map[string]chan struct{}{}, nudged: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// Erasure asks for the erasure of a subject's data.
type Erasure struct {
	Subject string
	Reason  string
}

// Erase records that a subject's data is to be erased and destroys its keys:
// when it returns, nothing that was sealed for the subject can be read. Run
// cleans the derived copies then; see Wait. The subject is what data names in
// the principal's workspace. A user of the organization is erased everywhere in
// it, profile and all. Errors: FORBIDDEN when a user is named and the principal
// may not delete users; CONFLICT for the principal's own user; VALIDATION_ERROR.
func (e *Erasures) Erase(ctx context.Context, req Request, in Erasure) (Outcome[privacy.Erasure], error) {
	var none Outcome[privacy.Erasure]
	p := req.Principal
	if req.Permission != "" && !p.Can(req.Permission) {
		return none, domain.Errorf(domain.CodeForbidden, "this credential lacks the permission %s", req.Permission)
	}
	cmd := privacy.Erase{Subject: in.Subject, Workspace: p.Workspace, Reason: in.Reason}
	user, err := e.isUser(ctx, p, in.Subject)
	if err != nil {
		return none, err
	}
	if user {
		if err := mayEraseUser(p, in.Subject); err != nil {
			return none, err
		}
		cmd.Workspace = ""
	}
	if cmd.Places, err = e.places(ctx); err != nil {
		return none, err
	}
	if in.Subject != "" {
		cmd.Keys, err = e.cfg.Keys.Living(ctx, streams.Subject{Organization: p.Organization, Workspace: cmd.Workspace, ID: in.Subject})
		if err != nil {
			return none, err
		}
	}
	req.Create = true
	out, err := Run(ctx, e.cfg.Handler, privacy.Erasures, req, cmd, ShowErasure)
	if err != nil || out.View.Status() != privacy.Pending {
		return out, err
	}
	// The intent is in the log: from here on it is carried out in any case.
	e.add(out.ID)
	return out, e.cfg.Keys.Destroy(ctx, keysOf(&out.View), e.cfg.Handler.Now())
}

// places are what is to be cleaned in an installation.
func (e *Erasures) places(ctx context.Context) (names []string, err error) {
	if e.cfg.AllPlaces != nil {
		return e.cfg.AllPlaces(ctx)
	}
	for _, place := range e.cfg.Places {
		names = append(names, place.Name)
	}
	return names, nil
}

// keysOf names the keys that an erasure destroys.
func keysOf(s *privacy.Erasure) []streams.SubjectKey {
	return streams.KeysOf(streams.Subject{Organization: s.Organization, Workspace: s.Workspace, ID: s.Subject}, s.Keys)
}

// ShowErasure is the view of an erasure that a command left: a copy, as the
// state goes on changing while its places are cleaned.
func ShowErasure(l *Loaded[privacy.Erasure]) privacy.Erasure {
	shown := *l.State
	shown.Places = slices.Clone(shown.Places)
	return shown
}

// isUser tells whether a subject is a user of the organization.
func (e *Erasures) isUser(ctx context.Context, p domain.Principal, subject string) (bool, error) {
	if subject == "" {
		return false, nil
	}
	p.Workspace = "" // users belong to no workspace
	_, err := Load[identity.User, struct{}](ctx, e.cfg.Handler, identity.Users, p, subject, nil)
	if errors.Is(err, domain.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func mayEraseUser(p domain.Principal, subject string) error {
	switch {
	case !p.Can("users:delete"):
		return domain.Errorf(domain.CodeForbidden, "%q is a user: erasing it needs the permission users:delete", subject)
	case subject == p.UserID:
		return domain.Errorf(domain.CodeConflict, "you cannot erase yourself; ask another administrator")
	}
	return nil
}

// Recover destroys once more the keys of everything that was ever erased here.
// Called at the start, before anything is read, it makes up for a process that
// died between the intent and the destruction, and for a key store that came
// back from an older backup. It notes what is still to be carried out.
func (e *Erasures) Recover(ctx context.Context) error {
	var keys []streams.SubjectKey
	folded := map[domain.StreamID]*privacy.Erasure{}
	var order []*privacy.Erasure
	var err error
	if e.since, err = e.cfg.Handler.cfg.Store.Head(ctx); err != nil {
		return fmt.Errorf("read the erasures: %w", err)
	}
	filter := &streams.Filter{Categories: []string{privacy.Erasures.Category}}
	for r, err := range e.cfg.Handler.cfg.Store.ReadAll(ctx, streams.ReadAll{Filter: filter}) {
		if err != nil {
			return fmt.Errorf("read the erasures: %w", err)
		}
		ev, err := e.cfg.Handler.cfg.Codec.Decode(r)
		if err != nil {
			return err
		}
		s := folded[r.Stream]
		if s == nil {
			s = privacy.Erasures.New(r.Stream.Key())
			folded[r.Stream] = s
			order = append(order, s)
		}
		privacy.Erasures.Apply(s, ev)
		if f, ok := ev.Fact.(privacy.SubjectErased); ok {
			keys = append(keys, streams.KeysOf(streams.Subject{Organization: ev.Meta.Organization, Workspace: f.Workspace, ID: f.Subject}, f.Keys)...)
		}
	}
	if len(keys) > 0 {
		if err := e.cfg.Keys.Destroy(ctx, keys, e.cfg.Handler.Now()); err != nil {
			return err
		}
	}
	for _, s := range order {
		if s.Status() == privacy.Pending {
			e.add(s.ID)
		}
	}
	return nil
}

func (e *Erasures) add(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.done[id] != nil {
		return
	}
	e.done[id] = make(chan struct{})
	e.pending = append(e.pending, id)
	e.rouse()
}

// Wait waits until an erasure that Erase has begun is completed, or ctx ends.
func (e *Erasures) Wait(ctx context.Context, id string) error {
	e.mu.Lock()
	done := e.done[id]
	e.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Show shows an erasure as it is now. Errors: NOT_FOUND.
func (e *Erasures) Show(ctx context.Context, p domain.Principal, id string) (privacy.Erasure, error) {
	return Load(ctx, e.cfg.Handler, privacy.Erasures, p, id, ShowErasure)
}

// Run carries erasures out until ctx ends. A place that fails is tried again;
// meanwhile the others, and other erasures, go on.
func (e *Erasures) Run(ctx context.Context) error {
	if e.cfg.Ready != nil {
		if err := e.cfg.Ready(ctx); err != nil {
			return err
		}
	}
	for {
		var again <-chan time.Time
		e.mu.Lock()
		ids := append([]string(nil), e.pending...)
		e.mu.Unlock()
		for _, id := range ids {
			if err := e.carryOut(ctx, id); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				if errors.Is(err, errOthers) {
					e.leave(id)
					continue
				}
				e.log.WarnContext(ctx, "an erasure is not complete yet; trying again", "erasure", id, "error", err, "in", e.cfg.Retry)
				again = time.After(e.cfg.Retry)
				continue
			}
			e.finish(id)
		}
		select {
		case <-e.wake:
		case <-again:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// finish takes an erasure off the list.
func (e *Erasures) finish(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i, p := range e.pending {
		if p == id {
			e.pending = append(e.pending[:i:i], e.pending[i+1:]...)
			break
		}
	}
	delete(e.nudged, id)
	if done := e.done[id]; done != nil { // else others have told of it
		close(done)
		delete(e.done, id)
	}
}

// carryOut cleans every place that is still open, whatever the others answer.
func (e *Erasures) carryOut(ctx context.Context, id string) error {
	s, err := e.Show(ctx, domain.System("", ""), id)
	if err != nil {
		return err
	}
	if s.Status() == privacy.Completed {
		return nil
	}
	if err := e.cfg.Keys.Destroy(ctx, keysOf(&s), e.cfg.Handler.Now()); err != nil {
		return err
	}
	still, err := e.survey(ctx, &s)
	if err != nil {
		return err
	}
	if e.leftToOthers(still) {
		return errOthers
	}
	found, err := e.find(ctx, streams.Subject{Organization: s.Organization, Workspace: s.Workspace, ID: s.Subject})
	if err != nil {
		return err
	}
	open := map[string]bool{}
	for _, name := range still {
		open[name] = true
	}
	var errs []error
	for _, place := range e.cfg.Places {
		if !open[place.Name] || place.Mine != nil && !place.Mine() {
			continue
		}
		delete(open, place.Name)
		err := place.Forget(ctx, found.Forgotten)
		if err == nil {
			err = e.note(ctx, id, privacy.Report{Place: place.Name})
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", place.Name, err))
		}
	}
	if len(open) > 0 && e.cfg.AllPlaces != nil {
		return cmp.Or(errors.Join(errs...), errOthers)
	}
	for name := range open {
		// Of a program that had more places than this one.
		errs = append(errs, fmt.Errorf("%s: this program has no such place", name))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return e.note(ctx, id, privacy.Complete{Events: found.events, Unsealed: found.unsealed})
}

func (e *Erasures) note(ctx context.Context, id string, cmd domain.Decider[privacy.Erasure]) error {
	_, err := Run[privacy.Erasure, struct{}](ctx, e.cfg.Handler, privacy.Erasures, Request{Principal: domain.System("", ""), ID: id}, cmd, nil)
	return err
}
