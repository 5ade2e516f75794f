package embedded_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

func proposed(typ, data string) streams.Proposed {
	return streams.Proposed{ID: uuid.New(), Type: typ, Data: []byte(data)}
}

// A decision writes to several streams whole or not at all, and what it says of a
// stream's metadata is in force at once and after opening again.
func TestTransact(t *testing.T) {
	f := newFactory(embedded.Options{SegmentSize: 8 << 10, NoSync: true})
	s := f.Open(t)
	l := s.(*embedded.Log)
	ctx := t.Context()
	var pos [3]domain.Position
	r, err := l.Transact(ctx, 100, func(tx *embedded.Tx) (streams.Result, error) {
		pos[0] = tx.Put("a-1", proposed("made", "1"))
		pos[1] = tx.Put("b-1", proposed("made", "2"))
		pos[2] = tx.Put("$$a-1", proposed(streams.TypeMetadata, `{"$maxCount":1,"$acl":{"$r":"x"},"own":2}`))
		return streams.Result{Revision: 7}, nil
	})
	if err != nil || r.Revision != 7 || pos != [3]domain.Position{1, 2, 3} {
		t.Fatalf("answered %+v at %v, %v", r, pos, err)
	}
	refusal := errors.New("no")
	_, err = l.Transact(ctx, 100, func(tx *embedded.Tx) (streams.Result, error) {
		tx.Put("a-1", proposed("made", "3"))
		return streams.Result{}, refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("answered %v", err)
	}
	for name, p := range map[string]struct {
		stream domain.StreamID
		event  streams.Proposed
		want   error
	}{
		"no id":             {"c-1", streams.Proposed{Type: "made"}, streams.ErrInvalid},
		"no type":           {"c-1", proposed("", "1"), streams.ErrInvalid},
		"no stream":         {"", proposed("made", "1"), streams.ErrInvalid},
		"not metadata":      {"$$c-1", proposed("made", "1"), streams.ErrInvalid},
		"metadata no JSON":  {"$$c-1", proposed(streams.TypeMetadata, "1"), streams.ErrInvalid},
		"metadata negative": {"$$c-1", proposed(streams.TypeMetadata, `{"$tb":-1}`), streams.ErrInvalid},
		"metadata's own":    {"$$$$c-1", proposed(streams.TypeMetadata, `{}`), streams.ErrInvalid},
		"too large":         {"c-1", proposed("made", string(make([]byte, 5<<20))), streams.ErrTooLarge},
	} {
		_, err := l.Transact(ctx, 10, func(tx *embedded.Tx) (streams.Result, error) {
			tx.Put("a-1", proposed("made", "before"))
			tx.Put(p.stream, p.event)
			return streams.Result{}, nil
		})
		if !errors.Is(err, p.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	check := func(l *embedded.Log) {
		t.Helper()
		st, err := l.StreamState(ctx, "a-1")
		if err != nil || st.Last != 0 || st.Meta.MaxCount != 1 || string(st.System["$acl"]) != `{"$r":"x"}` || st.Meta.Custom["own"] != 2.0 {
			t.Errorf("state %+v, %v", st, err)
		}
		if head, err := l.Head(ctx); err != nil || head != 3 {
			t.Errorf("head %d, %v", head, err)
		}
	}
	check(l)
	l = f.Reopen(t, l).(*embedded.Log)
	check(l)
	// What the log itself writes about the stream keeps what it does not know.
	if err := l.SetStreamMeta(ctx, "a-1", streams.Meta{MaxCount: 2}); err != nil {
		t.Fatal(err)
	}
	if st, err := l.StreamState(ctx, "a-1"); err != nil || string(st.System["$acl"]) != `{"$r":"x"}` || st.Meta.MaxCount != 2 {
		t.Errorf("state %+v, %v", st, err)
	}
}

// Decisions see what those before them have written, also within a group, and
// those of one goroutine are decided in order.
func TestTransactInOrder(t *testing.T) {
	l := newFactory(embedded.Options{NoSync: true}).Open(t).(*embedded.Log)
	const writers, each = 8, 100
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			own := domain.StreamID(fmt.Sprintf("own-%d", w))
			var waits []func() (streams.Result, error)
			for i := range each {
				e := proposed("made", fmt.Sprint(i))
				wait, err := l.TransactLater(t.Context(), 100, func(tx *embedded.Tx) (streams.Result, error) {
					shared, err := tx.Stream("shared-1")
					if err != nil {
						return streams.Result{}, err
					}
					tx.Put("shared-1", proposed("made", fmt.Sprint(shared.Last+1)))
					tx.Put(own, e)
					return streams.Result{Revision: shared.Last + 1}, nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				waits = append(waits, wait)
			}
			for _, wait := range waits {
				if _, err := wait(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	for e, err := range l.ReadStream(t.Context(), "shared-1", streams.ReadStream{}) {
		if err != nil || string(e.Data) != fmt.Sprint(e.Revision) {
			t.Fatalf("revision %d holds %s, %v", e.Revision, e.Data, err)
		}
		n++
	}
	if n != writers*each {
		t.Errorf("%d events", n)
	}
	for w := range writers {
		for e, err := range l.ReadStream(t.Context(), domain.StreamID(fmt.Sprintf("own-%d", w)), streams.ReadStream{}) {
			if err != nil || string(e.Data) != fmt.Sprint(e.Revision) {
				t.Fatalf("revision %d holds %s, %v", e.Revision, e.Data, err)
			}
		}
	}
}

// Decisions of one group see each other's metadata, before any of it is on disk.
func TestTransactSeesMetadataOfItsGroup(t *testing.T) {
	l := newFactory(embedded.Options{NoSync: true}).Open(t).(*embedded.Log)
	queued := make(chan struct{})
	later := func(decide func(tx *embedded.Tx) error) func() (streams.Result, error) {
		t.Helper()
		wait, err := l.TransactLater(t.Context(), 100, func(tx *embedded.Tx) (streams.Result, error) { return streams.Result{}, decide(tx) })
		if err != nil {
			t.Fatal(err)
		}
		return wait
	}
	waits := []func() (streams.Result, error){
		later(func(*embedded.Tx) error { <-queued; return nil }), // holds the writer until the others wait together
		later(func(tx *embedded.Tx) error {
			tx.Put("a-1", proposed("made", "1"))
			tx.Put("$$a-1", proposed(streams.TypeMetadata, `{"$maxCount":3}`))
			return nil
		}),
		later(func(tx *embedded.Tx) error {
			st, err := tx.Stream("a-1")
			if err == nil && (st.Last != 0 || st.Meta.MaxCount != 3) {
				err = fmt.Errorf("the state is %+v", st)
			}
			tx.Put("$$a-1", proposed(streams.TypeTombstone, `{}`))
			return err
		}),
		later(func(tx *embedded.Tx) error {
			st, err := tx.Stream("a-1")
			if err == nil && !st.Tombstoned {
				err = fmt.Errorf("the state is %+v", st)
			}
			return err
		}),
	}
	close(queued)
	for i, wait := range waits {
		if _, err := wait(); err != nil {
			t.Errorf("decision %d: %v", i, err)
		}
	}
}

func TestTransactAfterClose(t *testing.T) {
	l := newFactory(embedded.Options{NoSync: true}).Open(t).(*embedded.Log)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := l.Transact(t.Context(), 10, func(*embedded.Tx) (streams.Result, error) {
		t.Error("it was decided")
		return streams.Result{}, nil
	})
	if !errors.Is(err, streams.ErrClosed) {
		t.Errorf("answered %v", err)
	}
}
