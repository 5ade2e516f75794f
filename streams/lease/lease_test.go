package lease_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"strata/streams"
	"strata/streams/lease"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAReleasedLeaseIsTakenAtOnceWithItsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		first := acquire(t, newKeeper(t, lease.Config{Store: log, Holder: "first"}))
		if s := first.State(); s != nil {
			t.Errorf("the first holder finds %s", s)
		}
		if err := first.Save(t.Context(), json.RawMessage(`{"at":7}`)); err != nil {
			t.Fatal(err)
		}
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := first.Err(); !errors.Is(err, lease.ErrReleased) {
			t.Errorf("after the release: %v", err)
		}
		began := time.Now()
		second := acquire(t, newKeeper(t, lease.Config{Store: log, Holder: "second"}))
		if string(second.State()) != `{"at":7}` || second.Token() <= first.Token() || time.Since(began) != 0 {
			t.Errorf("state %s, token %d after %d, after %v", second.State(), second.Token(), first.Token(), time.Since(began))
		}
		if err := second.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := second.Release(t.Context()); !errors.Is(err, lease.ErrReleased) {
			t.Errorf("released twice: %v", err)
		}
	})
}

func TestALeaseThatIsRenewedIsNotTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		holder, challenger := newKeeper(t, lease.Config{Store: log, Holder: "holder"}), newKeeper(t, lease.Config{Store: log})
		term := acquire(t, holder)
		ctx, cancel := context.WithTimeout(t.Context(), 100*ttl)
		defer cancel()
		if _, err := challenger.Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the challenger ended with %v", err)
		}
		if err := term.Err(); err != nil {
			t.Errorf("the holder has %v", err)
		}
		if s := challenger.Status(); s.Held || s.Holder != "holder" {
			t.Errorf("the challenger says %+v", s)
		}
		if s := holder.Status(); !s.Held || s.Token != term.Token() {
			t.Errorf("the holder says %+v", s)
		}
		if err := term.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAHolderThatIsCutOffLosesItBeforeAnotherHasIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		way := &link{Store: log}
		term := acquire(t, newKeeper(t, lease.Config{Store: way}))
		way.before = func(context.Context) error { return errCut }
		lost := make(chan time.Time, 1)
		go func() { <-term.Context().Done(); lost <- time.Now() }()
		other := acquire(t, newKeeper(t, lease.Config{Store: log}))
		if at := <-lost; !at.Before(time.Now()) {
			t.Errorf("lost at %v, taken at %v", at, time.Now())
		}
		if err := term.Err(); !errors.Is(err, lease.ErrLost) {
			t.Errorf("the old holder has %v", err)
		}
		way.before = nil
		if err := term.Save(t.Context(), json.RawMessage(`1`)); !errors.Is(err, lease.ErrLost) {
			t.Errorf("the old holder saved: %v", err)
		}
		if err := other.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := term.Release(t.Context()); !errors.Is(err, lease.ErrLost) {
			t.Errorf("the old holder released: %v", err)
		}
	})
}

// The time to live counts from before the record was sent, however late its
// answer comes, or if it is found without one.
func TestTheWayOfTheAnswerIsNotAddedToTheLease(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			log := newMemory()
			taken := make(chan *lease.Term)
			way := &link{Store: log}
			way.after = func() error {
				challenger := newKeeper(t, lease.Config{Store: log})
				go func() { taken <- acquire(t, challenger) }() // sees the record before its writer knows
				time.Sleep(ttl * 3 / 4)
				if lost {
					return errCut
				}
				way.before = func(context.Context) error { return errCut }
				return nil
			}
			term := acquire(t, newKeeper(t, lease.Config{Store: way, Poll: ttl / 5}))
			way.before = func(context.Context) error { return errCut }
			<-term.Context().Done()
			select {
			case <-taken:
				t.Errorf("lost: %v; taken while it was held", lost)
				return
			default:
			}
			other := <-taken
			if err := other.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := term.Release(t.Context()); !errors.Is(err, lease.ErrLost) {
				t.Error(err)
			}
		})
	}
}

// A process that was stopped is told by the next question, before its timers run.
func TestAPausedHolderFindsOutBeforeItActs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		var asleep time.Duration
		never := make(chan time.Time)
		term := acquire(t, newKeeper(t, lease.Config{Store: log,
			Now:   func() time.Time { return time.Now().Add(asleep) },
			After: func(time.Duration) <-chan time.Time { return never }}))
		if err := term.Err(); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		asleep = ttl
		if err := term.Err(); !errors.Is(err, lease.ErrLost) {
			t.Errorf("after a pause: %v", err)
		}
		synctest.Wait()
		if err := term.Release(t.Context()); !errors.Is(err, lease.ErrLost) {
			t.Error(err)
		}
	})
}

// The fence needs no clock: one that stands still changes nothing.
func TestSavingIsFencedWhateverTheClockSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		start := time.Now()
		stuck := acquire(t, newKeeper(t, lease.Config{Store: log, Now: func() time.Time { return start },
			After: func(time.Duration) <-chan time.Time { return nil }}))
		other := acquire(t, newKeeper(t, lease.Config{Store: log}))
		if err := other.Save(t.Context(), json.RawMessage(`"new"`)); err != nil {
			t.Fatal(err)
		}
		if err := stuck.Err(); err != nil {
			t.Fatalf("by its clock it holds the lease: %v", err)
		}
		if err := stuck.Save(t.Context(), json.RawMessage(`"old"`)); !errors.Is(err, lease.ErrLost) {
			t.Errorf("saved: %v", err)
		}
		if err := stuck.Confirm(t.Context()); !errors.Is(err, lease.ErrLost) {
			t.Errorf("confirmed: %v", err)
		}
		if err := other.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := stuck.Release(t.Context()); !errors.Is(err, lease.ErrLost) {
			t.Errorf("released: %v", err)
		}
		next := acquire(t, newKeeper(t, lease.Config{Store: log}))
		if string(next.State()) != `"new"` {
			t.Errorf("the next holder finds %s", next.State())
		}
		if err := next.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestALostAnswerLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		way := &link{Store: log}
		way.after = func() error { way.after = nil; return errCut }
		k := newKeeper(t, lease.Config{Store: way})
		began := time.Now()
		term := acquire(t, k) // the record is found, though its answer never came
		if took := time.Since(began); took > ttl/2 {
			t.Errorf("acquired after %v", took)
		}
		synctest.Wait()
		time.Sleep(ttl / 4)
		way.after = func() error { return errCut }
		if err := term.Save(t.Context(), json.RawMessage(`1`)); !errors.Is(err, errCut) {
			t.Fatalf("saved: %v", err)
		}
		way.after = nil
		if err := term.Save(t.Context(), json.RawMessage(`2`)); err != nil {
			t.Fatal(err)
		}
		if err := term.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		var states []string
		for r, err := range log.ReadStream(t.Context(), "lease-work", streams.ReadStream{}) {
			if err != nil {
				t.Fatal(err)
			}
			var data struct{ State json.RawMessage }
			if err := json.Unmarshal(r.Data, &data); err != nil {
				t.Fatal(err)
			}
			states = append(states, r.Type+string(data.State))
		}
		want := []string{"lease.acquired.v1", "lease.renewed.v11", "lease.renewed.v12", "lease.released.v12"}
		if got := len(states); got != len(want) {
			t.Fatalf("the stream holds %q", states)
		}
		for i := range want {
			if states[i] != want[i] {
				t.Errorf("the stream holds %q", states)
			}
		}
	})
}

func TestTheOnlyProcessOfALogDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		dead := acquire(t, newKeeper(t, lease.Config{Store: log}))
		began := time.Now()
		term := acquire(t, newKeeper(t, lease.Config{Store: log, Sole: true}))
		if took := time.Since(began); took != 0 {
			t.Errorf("took over after %v", took)
		}
		if err := term.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := dead.Release(t.Context()); !errors.Is(err, lease.ErrLost) {
			t.Error(err)
		}
	})
}

func TestRunGoesOnWhenTheLeaseIsLostOrWorkFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		way := &link{Store: log}
		k := newKeeper(t, lease.Config{Store: way})
		ctx, stop := context.WithCancel(t.Context())
		var ends []error
		err := k.Run(ctx, func(ctx context.Context, term *lease.Term) error {
			switch len(ends) {
			case 0: // it fails
				ends = append(ends, nil)
				return errCut
			case 1: // it loses the lease
				way.before = func(context.Context) error { return errCut }
				<-ctx.Done()
				way.before = nil
				ends = append(ends, term.Err())
			case 2:
				ends = append(ends, nil)
				stop()
				<-ctx.Done()
			}
			return ctx.Err()
		})
		if !errors.Is(err, context.Canceled) || len(ends) != 3 || !errors.Is(ends[1], lease.ErrLost) {
			t.Errorf("ended with %v, terms with %v", err, ends)
		}
		next := acquire(t, newKeeper(t, lease.Config{Store: log})) // released: at once
		if err := next.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTheStreamStaysShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newMemory()
		term := acquire(t, newKeeper(t, lease.Config{Store: log}))
		time.Sleep(20 * ttl)
		if err := term.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		readable := 0
		for _, err := range log.ReadStream(t.Context(), "lease-work", streams.ReadStream{}) {
			if err != nil {
				t.Fatal(err)
			}
			readable++
		}
		if readable != 10 {
			t.Errorf("%d records are readable", readable)
		}
	})
}

func TestConfig(t *testing.T) {
	log := newMemory()
	for _, c := range []lease.Config{{}, {Store: log}, {Name: "x"}, {Store: log, Name: "x", TTL: time.Millisecond}} {
		if _, err := lease.New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestOverTheEmbeddedLog(t *testing.T) {
	log := openLog(t)
	way := &link{Store: log, after: func() error { return errCut }}
	k := newKeeper(t, lease.Config{Store: way, TTL: time.Hour, Poll: time.Millisecond})
	way.after = func() error { way.after = nil; return errCut }
	term := acquire(t, k)
	way.after = func() error { way.after = nil; return errCut }
	if err := term.Save(t.Context(), json.RawMessage(`1`)); !errors.Is(err, errCut) {
		t.Fatalf("saved: %v", err)
	}
	if err := term.Save(t.Context(), json.RawMessage(`2`)); err != nil {
		t.Fatal(err)
	}
	other := acquire(t, newKeeper(t, lease.Config{Store: log, TTL: time.Hour, Sole: true}))
	if err := term.Confirm(t.Context()); !errors.Is(err, lease.ErrLost) {
		t.Errorf("confirmed: %v", err)
	}
	if other.Token() <= term.Token() || string(other.State()) != "2" {
		t.Errorf("token %d after %d, state %s", other.Token(), term.Token(), other.State())
	}
	if err := other.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := term.Release(t.Context()); !errors.Is(err, lease.ErrLost) {
		t.Error(err)
	}
	if m, err := log.StreamMeta(t.Context(), "lease-work"); err != nil || m.MaxCount != 10 {
		t.Errorf("metadata %+v, %v", m, err)
	}
}
