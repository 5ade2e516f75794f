package persistent

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/internal/eventstore/eslog"
)

func testSettings() Settings {
	return Settings{
		MessageTimeout: 30 * time.Second, MaxRetryCount: 2, MinCheckpoint: 10, MaxCheckpoint: 1000, CheckpointAfter: 2 * time.Second,
		LiveBufferSize: 500, HistoryBufferSize: 500, ReadBatchSize: 20, Strategy: RoundRobin,
	}
}

func id(n int64) uuid.UUID { return uuid.NewSHA1(uuid.Nil, fmt.Appendf(nil, "%d", n)) }

func event(n int64, key string) *Event { return eventUnder(id(n), n, key) }

func eventUnder(id uuid.UUID, at int64, key string) *Event {
	return &Event{Record: &eslog.Record{Event: eslog.Event{ID: id}, Revision: domain.Revision(at)}, key: key}
}

// bench is a group on a table: with a clock, and consumers that take at once.
type bench struct {
	*group
	now time.Time
}

func newBench(change func(*Settings)) *bench {
	s := testSettings()
	if change != nil {
		change(&s)
	}
	now := time.Unix(1000, 0)
	return &bench{group: newGroup(s, -1, -1, now), now: now}
}

func (b *bench) join(t *testing.T, slots int) *consumer {
	t.Helper()
	c := newConsumer(slots, true)
	if err := b.connect(c, b.now); err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) events(from, to int64, key string) {
	var list []*Event
	for n := from; n <= to; n++ {
		list = append(list, event(n, key))
	}
	b.feed(list, to, false, b.now)
}

// taken takes all that waits for a consumer and lists where it stood.
func (b *bench) taken(c *consumer) (places []int64) {
	for {
		m, _, ok := b.group.take(c, b.now)
		if !ok {
			return places
		}
		places = append(places, m.at)
	}
}

func (b *bench) ackAll(c *consumer, places ...int64) {
	for _, p := range places {
		b.ack(c, []uuid.UUID{id(p)}, b.now)
	}
}

func same(t *testing.T, what string, got []int64, want ...int64) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestSlotsLimitWhatIsGiven(t *testing.T) {
	b := newBench(nil)
	c := b.join(t, 2)
	b.events(0, 4, "s")
	same(t, "first", b.taken(c), 0, 1)
	same(t, "without an answer", b.taken(c))
	b.ackAll(c, 1)
	same(t, "after one answer", b.taken(c), 2)
	if b.source.floor != -1 {
		t.Errorf("floor %d while 0 is open", b.source.floor)
	}
	b.ackAll(c, 0)
	if b.source.floor != 1 {
		t.Errorf("floor %d, want 1", b.source.floor)
	}
}

func TestRoundRobinAndDispatchToSingle(t *testing.T) {
	b := newBench(nil)
	one, two := b.join(t, 3), b.join(t, 3)
	b.events(0, 7, "s")
	same(t, "one", b.taken(one), 0, 2, 4)
	same(t, "two", b.taken(two), 1, 3, 5)

	b = newBench(func(s *Settings) { s.Strategy = DispatchToSingle })
	one, two = b.join(t, 3), b.join(t, 3)
	b.events(0, 7, "s")
	same(t, "one", b.taken(one), 0, 1, 2)
	same(t, "two", b.taken(two), 3, 4, 5)
}

func TestTimeoutsRetryThenPark(t *testing.T) {
	b := newBench(nil)
	c := b.join(t, 1)
	b.events(0, 1, "s")
	for try := range 3 {
		m, retries, ok := b.group.take(c, b.now)
		if !ok || m.at != 0 || int(retries) != try {
			t.Fatalf("try %d: %+v, %d retries", try, m, retries)
		}
		at, ok := b.nextTick()
		if !ok || !at.Equal(b.now.Add(30*time.Second)) {
			t.Fatalf("the next tick is at %v, %v", at, ok)
		}
		b.tick(at.Add(-1))
		same(t, "before its time", b.taken(c))
		b.now = at
		b.tick(b.now)
	}
	if b.parking.len() != 1 || b.parking.front().reason != "Reached retry count of 2" {
		t.Fatalf("to be parked: %d", b.parking.len())
	}
	same(t, "next", b.taken(c), 1)
	b.ackAll(c, 1)
	if b.source.floor != -1 {
		t.Error("the floor passed a message that is not parked yet")
	}
	m := b.parking.pop()
	m.ledger.settle(m)
	if b.source.floor != 1 {
		t.Errorf("floor %d", b.source.floor)
	}
}

func TestZeroTimeoutWaitsForEver(t *testing.T) {
	b := newBench(func(s *Settings) { s.MessageTimeout = 0 })
	c := b.join(t, 1)
	b.events(0, 1, "s")
	same(t, "first", b.taken(c), 0)
	if _, ok := b.nextTick(); ok {
		t.Error("there is a deadline")
	}
	b.tick(b.now.Add(1000 * time.Hour))
	same(t, "much later", b.taken(c))
}

func TestLateAnswersMeanNothing(t *testing.T) {
	b := newBench(nil)
	one, two := b.join(t, 1), b.join(t, 1)
	b.events(0, 1, "s")
	same(t, "one", b.taken(one), 0)
	b.ackAll(two, 0) // was not given to it
	same(t, "two", b.taken(two), 1)
	b.now = b.now.Add(time.Minute)
	b.tick(b.now)
	if one.stuck || two.stuck {
		t.Fatal("a consumer that takes is not stuck")
	}
	b.ackAll(one, 7)
	if b.source.floor != -1 {
		t.Errorf("floor %d", b.source.floor)
	}
}

func TestNack(t *testing.T) {
	b := newBench(nil)
	c := b.join(t, 10)
	b.events(0, 3, "s")
	b.taken(c)
	b.nack(c, []uuid.UUID{id(0)}, Park, "because", b.now)
	b.nack(c, []uuid.UUID{id(1)}, Skip, "", b.now)
	b.nack(c, []uuid.UUID{id(2)}, Retry, "", b.now)
	if m := b.parking.pop(); m.at != 0 || m.reason != "Client explicitly NAK'ed message.\nbecause" {
		t.Errorf("parked %+v", m)
	} else {
		m.ledger.settle(m)
	}
	if b.source.floor != 1 {
		t.Errorf("floor %d", b.source.floor)
	}
	m, retries, _ := b.group.take(c, b.now)
	if m == nil || m.at != 2 || retries != 1 {
		t.Errorf("again: %+v %d", m, retries)
	}
}

func TestWhatAConsumerHadGoesToOthers(t *testing.T) {
	b := newBench(nil)
	one, two := b.join(t, 4), b.join(t, 2)
	b.events(0, 5, "s")
	m, _, _ := b.group.take(one, b.now) // 0; the others are not taken
	b.disconnect(one, b.now)
	b.disconnect(one, b.now) // a second time means nothing
	if m.retries != 1 {
		t.Errorf("what was taken counts as tried: %d", m.retries)
	}
	same(t, "two", b.taken(two), 1, 3)
	b.ackAll(two, 1, 3)
	same(t, "in order", b.taken(two), 0, 2)
	if m, _, _ := b.group.take(two, b.now); m != nil {
		t.Errorf("more than its slots: %+v", m)
	}
	for _, m := range two.sorted() {
		if want := int32(0); m.at == 2 && m.retries != want {
			t.Errorf("what was not taken does not count: %d", m.retries)
		}
	}
}

func TestAConsumerThatTakesNothingIsPassedOver(t *testing.T) {
	b := newBench(func(s *Settings) { s.Strategy = DispatchToSingle })
	deaf, well := b.join(t, 5), b.join(t, 1)
	b.events(0, 9, "s")
	same(t, "well", b.taken(well), 5)
	b.now = b.now.Add(31 * time.Second)
	b.tick(b.now)
	b.ackAll(well, 5)
	var got []int64
	for range 20 {
		places := b.taken(well)
		got = append(got, places...)
		b.ackAll(well, places...)
	}
	same(t, "well", got, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	if b.parking.len() > 0 {
		t.Error("nothing was tried in vain")
	}
	if same(t, "deaf", b.taken(deaf)); deaf.free() != 5 {
		t.Errorf("back again it has %d slots", deaf.free())
	}
}

func TestMaxSubscribers(t *testing.T) {
	b := newBench(func(s *Settings) { s.MaxSubscribers = 1 })
	c := b.join(t, 1)
	if err := b.connect(newConsumer(1, false), b.now); err != ErrFull {
		t.Errorf("got %v", err)
	}
	b.drop(ErrDropped)
	if c.dropped != ErrDropped {
		t.Errorf("dropped: %v", c.dropped)
	}
	b.join(t, 1)
}

func TestRoomFollowsTheBuffers(t *testing.T) {
	b := newBench(func(s *Settings) { s.HistoryBufferSize, s.LiveBufferSize, s.ReadBatchSize = 30, 25, 20 })
	if b.room() != 0 {
		t.Error("nobody is there")
	}
	b.join(t, 1)
	if b.room() != 20 {
		t.Errorf("room %d", b.room())
	}
	b.events(0, 10, "s") // one is handed out
	if b.room() != 20 {
		t.Errorf("room %d beside 10 of 30", b.room())
	}
	b.feed(nil, 10, true, b.now)
	if b.room() != 0 {
		t.Errorf("room %d beside 10 of 25", b.room())
	}
}

func TestCheckpoints(t *testing.T) {
	b := newBench(func(s *Settings) { s.MinCheckpoint, s.MaxCheckpoint = 3, 6 })
	c := b.join(t, 100)
	due := func(final bool) int64 {
		place, n, ok := b.checkpoint(b.now, final)
		if !ok {
			return -1
		}
		b.checkpointed(place, n, b.now)
		return place
	}
	b.events(0, 40, "s")
	b.taken(c)
	b.ackAll(c, 0, 1)
	b.now = b.now.Add(time.Minute)
	if got := due(false); got != -1 {
		t.Errorf("two are too few: %d", got)
	}
	b.ackAll(c, 2)
	if at, ok := b.checkpointAt(); !ok || at.After(b.now) {
		t.Errorf("the time is %v, %v", at, ok)
	}
	if got := due(false); got != 2 {
		t.Errorf("three and time: %d", got)
	}
	b.ackAll(c, 3, 4, 5, 7)
	if got := due(false); got != -1 {
		t.Errorf("it is not time: %d", got)
	}
	b.ackAll(c, 6, 8)
	if got := due(false); got != 8 {
		t.Errorf("six do not wait: %d", got)
	}
	b.ackAll(c, 9)
	if got := due(true); got != 9 {
		t.Errorf("the last one: %d", got)
	}
	if got := due(true); got != -1 {
		t.Errorf("twice: %d", got)
	}
}

func TestCheckpointOverWhatAFilterSkips(t *testing.T) {
	b := newBench(nil)
	b.all = true
	b.join(t, 1)
	b.now = b.now.Add(time.Minute)
	b.feed(nil, skipped-2, false, b.now)
	if _, _, ok := b.checkpoint(b.now, false); ok {
		t.Error("it is too early")
	}
	b.feed(nil, skipped, true, b.now)
	if place, n, ok := b.checkpoint(b.now, false); !ok || place != skipped || n != 0 {
		t.Errorf("got %d %d %v", place, n, ok)
	}
}

func TestReplayComesAfterRetriesAndBeforeFresh(t *testing.T) {
	b := newBench(nil)
	c := b.join(t, 1)
	b.events(10, 12, "s")
	b.taken(c)
	b.replay([]*Event{event(0, "s"), event(1, "s")}, b.now)
	b.nack(c, []uuid.UUID{id(10)}, Retry, "", b.now)
	var got []int64
	for range 5 {
		places := b.taken(c)
		got = append(got, places...)
		b.ackAll(c, places...)
	}
	same(t, "order", got, 10, 0, 1, 11, 12)
	if b.parked.floor != 1 || b.source.floor != 12 {
		t.Errorf("floors %d, %d", b.parked.floor, b.source.floor)
	}
}

func TestTwoMessagesUnderOneID(t *testing.T) {
	b := newBench(nil)
	c := b.join(t, 5)
	twins := []*Event{eventUnder(id(7), 0, ""), eventUnder(id(7), 1, ""), eventUnder(id(7), 2, "")}
	b.feed(twins, 2, false, b.now)
	b.taken(c)
	for want := int64(0); want < 3; want++ {
		b.ack(c, []uuid.UUID{id(7)}, b.now)
		if b.source.floor != want {
			t.Errorf("floor %d, want %d", b.source.floor, want)
		}
	}
	if c.count != 0 || len(c.given) != 0 {
		t.Errorf("left: %d", c.count)
	}
}

func TestPinnedKeepsAndShares(t *testing.T) {
	b := newBench(func(s *Settings) { s.Strategy = Pinned })
	one := b.join(t, 1000)
	for n := range int64(100) {
		b.feed([]*Event{event(n, fmt.Sprint("s", n%50))}, n, false, b.now)
	}
	if got := b.taken(one); len(got) != 100 {
		t.Fatalf("the only one got %d", len(got))
	}
	two := b.join(t, 1000)
	for n := int64(100); n < 150; n++ {
		b.feed([]*Event{event(n, fmt.Sprint("s", n%50))}, n, false, b.now)
	}
	if got := b.taken(two); len(got) != 0 {
		t.Errorf("moved with messages in flight: %v", got)
	}
	for n := range int64(150) {
		b.ackAll(one, n)
		b.taken(one)
	}
	for n := int64(200); n < 300; n++ {
		b.feed([]*Event{event(n, fmt.Sprint("s", n%50))}, n, false, b.now)
	}
	if got := len(b.taken(two)); got < 30 || got > 70 {
		t.Errorf("two got %d of 100", got)
	}
	if one.buckets+two.buckets > 50 || one.buckets-two.buckets > 1 {
		t.Errorf("buckets %d and %d", one.buckets, two.buckets)
	}
}

// TestGroupHistories plays random histories and checks after every step that no
// message is lost or in two places, and that no floor passes an open one.
func TestGroupHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory(t)
		t.Repeat(map[string]func(*rapid.T){
			"":           h.check,
			"feed":       h.feed,
			"replay":     h.replay,
			"connect":    h.connect,
			"disconnect": h.disconnect,
			"take":       h.take,
			"answer":     h.answer,
			"wait":       h.wait,
			"park":       h.park,
			"checkpoint": h.checkpoint,
		})
		h.finish(t)
	})
}
