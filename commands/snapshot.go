package commands

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
)

// snapshotEvery is how many events of a stream lie between two snapshots of its
// state: what is folded at most when a state is not in memory. 10,000 events
// were measured to take 150 ms to fold, so this many take about 15
// (docs/performance.md).
const snapshotEvery = 1024

// SnapshotsKept is how many snapshots of a stream are of use: a retry is
// answered with a state as far back as idempotency keys are remembered.
const SnapshotsKept = keptKeys/snapshotEvery + 1

// Snapshots keeps folded states of long streams, so that a state that is not in
// memory need not be folded from the first event. It is a cache: what it does
// not have, or has of another program, is folded from the log.
type Snapshots interface {
	// Latest returns the newest snapshot of a stream at or below a revision that
	// was folded in a way. Whatever is wrong with it, it is as if there were none.
	Latest(ctx context.Context, stream domain.StreamID, fold string, upTo domain.Revision) (Snapshot, bool)
	// Put hands over a snapshot to be kept some time later. It never waits, and
	// may drop what comes too fast.
	Put(s Snapshot)
	// Forget removes every snapshot of a stream with events about a person, for
	// good: once it returns, no byte of them is left in the store's files.
	Forget(ctx context.Context, who streams.Subject) error
}

// Snapshot is a folded state with what ties it to the log.
type Snapshot struct {
	Stream   domain.StreamID
	Revision domain.Revision   // the last event folded
	Event    uuid.UUID         // its id: a log that has another one there is another log
	Fold     string            // how it was folded, and into which type
	State    []byte            // JSON; personal, if About names anybody
	Keys     []byte            // what is remembered of idempotency keys; nil when dropped, as it may be from all but the newest
	About    []streams.Subject // whose data the state may hold
}

// Forget drops the folded states of everything, in memory, and those on disk
// that may hold a person's data. It is called when the person's key is
// destroyed: from then on states are folded without what the key sealed.
func (h *Handler) Forget(ctx context.Context, who streams.Subject) error {
	h.forgetting.Lock()
	defer h.forgetting.Unlock()
	h.erasures.Add(1) // entries that run just now fold again, too
	h.cache.clear()
	if h.cfg.Snapshots == nil {
		return nil
	}
	return h.cfg.Snapshots.Forget(ctx, who)
}

// snapshotFormat changes with what surrounds the state: [image] and the keys.
const snapshotFormat = "1"

// image is the part of a snapshot that the store cannot look into.
type image[S any] struct {
	State  *S        `json:"state"`
	Loaded Loaded[S] `json:"loaded"` // without the state
}

// snapshot hands the state over to the store when the stream has grown enough.
// It runs between batches: it delays the next, not the answers of the last.
func (e *entry[S]) snapshot() {
	grown := e.loaded.Revision - e.kept
	if e.h.cfg.Snapshots == nil || !e.valid || int(grown) < e.h.cfg.SnapshotEvery || len(e.about) > maxAbout {
		return
	}
	e.kept = e.loaded.Revision
	s, err := e.picture()
	if err != nil {
		e.h.cfg.Logger.Warn("a state cannot be kept", "stream", s.Stream, "error", err)
		return
	}
	// What a person said must not be kept after they were forgotten. While
	// somebody is being forgotten, there is simply no snapshot.
	if !e.h.forgetting.TryRLock() {
		return
	}
	defer e.h.forgetting.RUnlock()
	if e.erasures == e.h.erasures.Load() {
		e.h.cfg.Snapshots.Put(s)
	}
}

// picture makes a snapshot of what was folded.
func (e *entry[S]) picture() (s Snapshot, err error) {
	s = Snapshot{Stream: e.agg.Stream(e.id), Revision: e.loaded.Revision, Event: e.last, Keys: e.keys.bytes(), About: slices.Clone(e.about)}
	if s.Fold, err = e.h.foldOf(e.agg.Category, e.agg.Fold, reflect.TypeFor[S]()); err != nil {
		return s, err
	}
	envelope := e.loaded
	envelope.State = nil
	s.State, err = json.Marshal(image[S]{e.loaded.State, envelope})
	return s, err
}

// adopt takes up a snapshot's state. After an error the entry is as it was.
func (e *entry[S]) adopt(s Snapshot) error {
	var im image[S]
	keys, err := readKeys(s.Keys)
	if err = errors.Join(err, json.Unmarshal(s.State, &im)); err != nil {
		return err
	}
	if im.State == nil {
		return errors.New("it holds no state")
	}
	e.loaded = im.Loaded
	e.loaded.ID, e.loaded.State, e.loaded.Revision = e.id, im.State, s.Revision
	e.keys, e.last, e.kept, e.about = keys, s.Event, s.Revision, slices.Clone(s.About)
	return nil
}

// maxAbout bounds how many people a snapshot may be about: it is sealed under
// the key of each.
const maxAbout = 8

// clear makes the state of a stream without events.
func (e *entry[S]) clear() {
	e.erasures = e.h.erasures.Load()
	e.loaded = Loaded[S]{ID: e.id, State: e.agg.New(e.id), Revision: domain.NoRevision}
	e.keys, e.about, e.last, e.at, e.kept = keyMemory{}, nil, uuid.Nil, 0, domain.NoRevision
}

// begin takes up the newest snapshot at or below upTo, if there is one, and
// returns the revision to read on from. With a snapshot that is the one it
// stands at: its event proves that the snapshot is of this log.
func (e *entry[S]) begin(ctx context.Context, upTo domain.Revision) (from domain.Revision) {
	e.clear()
	if e.h.cfg.Snapshots == nil {
		return 0
	}
	fold, err := e.h.foldOf(e.agg.Category, e.agg.Fold, reflect.TypeFor[S]())
	if err != nil {
		return 0
	}
	s, ok := e.h.cfg.Snapshots.Latest(ctx, e.agg.Stream(e.id), fold, upTo)
	if !ok || s.Keys == nil && upTo == streams.End { // to decide on the state, repeats must be recognised
		return 0
	}
	if err := e.adopt(s); err != nil {
		e.h.cfg.Logger.Warn("a snapshot cannot be read; the log is", "stream", s.Stream, "error", err)
		return 0
	}
	return s.Revision
}

// concerns notes that the state may hold somebody's data.
func (e *entry[S]) concerns(who streams.Subject) {
	if len(e.about) <= maxAbout && !slices.Contains(e.about, who) {
		e.about = append(e.about, who)
	}
}

// subjectOf tells whom an event is about, if anybody.
func subjectOf(ev domain.Event) (streams.Subject, bool) {
	if p, ok := ev.Fact.(domain.PersonalFact); ok && ev.Meta.Subject == "" { // it has just been decided
		ev.Meta.Subject = p.DataSubject()
	}
	return streams.SubjectOf(ev.Meta), ev.Meta.Subject != ""
}

// keySize is what one remembered key takes: an event id and its revision.
const keySize = 16 + 8

func (k *keyMemory) bytes() []byte {
	out := make([]byte, 0, len(k.order)*keySize)
	for _, id := range k.order {
		out = append(out, id[:]...)
		out = binary.BigEndian.AppendUint64(out, uint64(k.at[id]))
	}
	return out
}

func readKeys(b []byte) (k keyMemory, err error) {
	if len(b)%keySize != 0 {
		return k, fmt.Errorf("%d bytes are no list of keys", len(b))
	}
	for ; len(b) > 0; b = b[keySize:] {
		k.add(uuid.UUID(b[:16]), domain.Revision(binary.BigEndian.Uint64(b[16:keySize])))
	}
	return k, nil
}

// foldOf names a way of folding together with the type it folds into. It fails
// for a type that JSON would not keep whole.
func (h *Handler) foldOf(category, fold string, state reflect.Type) (string, error) {
	if known, ok := h.folds.Load(category); ok {
		return known.(string), nil
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s;", snapshotFormat)
	if err := writeShape(sum, state, map[reflect.Type]bool{}); err != nil {
		return "", err
	}
	name := fold + " " + hex.EncodeToString(sum.Sum(nil)[:8])
	h.folds.Store(category, name)
	return name, nil
}

// writeShape writes what JSON makes of a type: its fields' names, tags and types.
func writeShape(w io.Writer, t reflect.Type, seen map[reflect.Type]bool) error {
	fmt.Fprintf(w, "%s %s;", t.Kind(), t)
	marshals := t.Implements(reflect.TypeFor[json.Marshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Marshaler]())
	if marshals || seen[t] {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Struct:
		for f := range t.Fields() {
			if f.Tag.Get("snapshot") == "derived" { // from the other fields, whenever it is missing
				continue
			}
			if !f.IsExported() || f.Tag.Get("json") == "-" {
				return fmt.Errorf("%s.%s is not written as JSON", t, f.Name)
			}
			fmt.Fprintf(w, "%s %s ", f.Name, f.Tag)
			if err := writeShape(w, f.Type, seen); err != nil {
				return err
			}
		}
	case reflect.Map:
		return errors.Join(writeShape(w, t.Key(), seen), writeShape(w, t.Elem(), seen))
	case reflect.Slice, reflect.Pointer, reflect.Array:
		return writeShape(w, t.Elem(), seen)
	case reflect.Interface:
		if t.NumMethod() == 0 { // what facts hold came from JSON
			return nil
		}
		return fmt.Errorf("%s does not come back from JSON as it was", t)
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr, reflect.Complex64, reflect.Complex128:
		return fmt.Errorf("%s does not come back from JSON as it was", t)
	default: // numbers, texts and truths
	}
	return nil
}
