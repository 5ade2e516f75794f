package logbus

import (
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"strata/domain"
	"strata/streams"
)

// The checkpoint is always just below the lowest event that is not finished,
// however starts, finishes and passes are mixed.
func TestPropertyTrackerNeverPassesAnUnfinishedEvent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		at := domain.Position(rapid.IntRange(0, 5).Draw(rt, "from"))
		track := newTracker(at)
		var open []*flight
		last := at
		for range rapid.IntRange(0, 3000).Draw(rt, "steps") {
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0, 1:
				at += domain.Position(rapid.IntRange(1, 3).Draw(rt, "gap"))
				open = append(open, track.start(at))
			case 2, 3:
				if len(open) > 0 {
					i := rapid.IntRange(0, len(open)-1).Draw(rt, "which")
					track.finish(open[i])
					open = append(open[:i], open[i+1:]...)
				}
			default:
				at += domain.Position(rapid.IntRange(0, 3).Draw(rt, "passed"))
				track.pass(at)
			}
			got := track.position()
			if got < last {
				rt.Fatalf("the checkpoint went back from %d to %d", last, got)
			}
			last = got
			if track.underWay() != len(open) {
				rt.Fatalf("%d are under way, want %d", track.underWay(), len(open))
			}
			if len(open) == 0 && got != at {
				rt.Fatalf("nothing is under way and the checkpoint is %d, not %d", got, at)
			}
			for _, f := range open {
				if got >= f.position {
					rt.Fatalf("the checkpoint is %d, and %d is not finished", got, f.position)
				}
			}
		}
	})
}

func TestPropertyMessagesCarryWholeEvents(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := streams.Recorded{
			Proposed: streams.Proposed{ID: uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(rt, "id")), Type: rapid.String().Draw(rt, "type"),
				Workspace: rapid.String().Draw(rt, "workspace"), Data: rapid.SliceOf(rapid.Byte()).Draw(rt, "data"), Meta: rapid.SliceOf(rapid.Byte()).Draw(rt, "meta")},
			Stream: domain.StreamID(rapid.String().Draw(rt, "stream")), Revision: domain.Revision(rapid.Int64().Draw(rt, "revision")),
			Position: domain.Position(rapid.Uint64().Draw(rt, "position")),
		}
		got, err := RecordedOf(NewMessage(want))
		if err != nil {
			rt.Fatal(err)
		}
		if got.ID != want.ID || got.Type != want.Type || got.Workspace != want.Workspace || string(got.Data) != string(want.Data) ||
			string(got.Meta) != string(want.Meta) || got.Stream != want.Stream || got.Revision != want.Revision || got.Position != want.Position || !got.At.Equal(want.At) {
			rt.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestForeignMessagesAreErrors(t *testing.T) {
	for _, key := range []string{"", MetaRevision, MetaPosition, MetaAt} {
		m := NewMessage(streams.Recorded{Proposed: streams.Proposed{ID: uuid.New()}})
		if key == "" {
			m.UUID = "x"
		} else {
			m.Metadata[key] = "x"
		}
		if _, err := RecordedOf(m); err == nil {
			t.Errorf("a message with a spoiled %q is read", key)
		}
	}
}
