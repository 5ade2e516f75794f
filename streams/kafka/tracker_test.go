package kafka

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"
)

// What would be committed is always the offset after the last below which all
// are finished, in whatever order they are.
func TestPropertyTrackerNeverPassesAnUnfinishedOffset(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		track := newTracker()
		var open []*flight
		offset, last := int64(rapid.IntRange(0, 5).Draw(rt, "from")), int64(0)
		for range rapid.IntRange(0, 3000).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "start") {
				offset += int64(rapid.IntRange(1, 3).Draw(rt, "gap"))
				open = append(open, track.start(offset))
			} else if len(open) > 0 {
				i := rapid.IntRange(0, len(open)-1).Draw(rt, "which")
				track.finish(open[i])
				open = append(open[:i], open[i+1:]...)
				if len(open) == 0 && track.next() != offset+1 {
					rt.Fatalf("all up to %d are finished, and the next is %d", offset, track.next())
				}
			}
			got := track.next()
			if got < last {
				rt.Fatalf("went back from %d to %d", last, got)
			}
			last = got
			for _, f := range open {
				if got > f.offset {
					rt.Fatalf("the next is %d, and %d is not finished", got, f.offset)
				}
			}
		}
	})
}

func TestPropertyPlainCarriesWholeMessages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := message.NewMessage(rapid.StringN(1, 40, 80).Draw(rt, "uuid"), rapid.SliceOf(rapid.Byte()).Draw(rt, "payload"))
		want.Metadata = rapid.MapOf(rapid.String(), rapid.String()).Filter(func(m map[string]string) bool { return m[UUIDHeader] == "" }).Draw(rt, "metadata")
		delete(want.Metadata, UUIDHeader)
		r, err := Plain{}.Marshal("topic", want)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := Plain{}.Unmarshal(r)
		if err != nil {
			rt.Fatal(err)
		}
		if !got.Equals(want) || string(r.Key) != want.Metadata[KeyMetadata] {
			rt.Fatalf("got %+v with key %q, want %+v", got, r.Key, want)
		}
	})
}

func TestPlainNamesForeignRecordsByTheirPlace(t *testing.T) {
	m, err := Plain{}.Unmarshal(Record{Topic: "orders", Partition: 3, Offset: 17})
	if err != nil || m.UUID != "orders/3/17" {
		t.Errorf("got %v, %v", m, err)
	}
	taken := message.NewMessage("u", nil)
	taken.Metadata[UUIDHeader] = "x"
	if _, err := (Plain{}).Marshal("orders", taken); err == nil {
		t.Error("metadata took the place of the UUID")
	}
}
