package persistent

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"strata/domain"
	"strata/internal/eventstore/eslog"
)

// Key names a group: the stream it reads, or [All], and its own name.
type Key struct{ Stream, Group string }

// String is the group's id, as it stands in the names of its streams.
func (k Key) String() string { return k.Stream + "::" + k.Group }

const streamPrefix = "$persistentsubscription-"

func (k Key) checkpointStream() domain.StreamID {
	return domain.StreamID(streamPrefix + k.String() + "-checkpoint")
}

// ParkedStream is where the group's parked messages are, as links.
func (k Key) ParkedStream() domain.StreamID {
	return domain.StreamID(streamPrefix + k.String() + "-parked")
}

// checkpointType is the type of the events in a checkpoint stream.
const checkpointType = "$SubscriptionCheckpoint"

// PlaceText writes a place: a revision, or a position as clients read it.
func PlaceText(all bool, place int64) string {
	if all {
		return positionText(place, place)
	}
	return strconv.FormatInt(place, 10)
}

func positionText(commit, prepare int64) string { return fmt.Sprintf("C:%d/P:%d", commit, prepare) }

// checkpointEvent says that everything up to a place is settled.
func checkpointEvent(all bool, place int64) eslog.Event {
	return eslog.Event{
		ID: domain.NewEventID(), Type: checkpointType, ContentType: eslog.ContentJSON,
		Data: strconv.AppendQuote(nil, PlaceText(all, place)),
	}
}

// parseCheckpoint reads the data of a checkpoint.
func parseCheckpoint(all bool, data []byte) (place int64, err error) {
	text := strings.Trim(string(data), `"`)
	if all {
		var found bool
		if text, found = strings.CutPrefix(text, "C:"); !found {
			return 0, fmt.Errorf("checkpoint %q is no position", data)
		}
		text, _, _ = strings.Cut(text, "/P:")
	}
	if place, err = strconv.ParseInt(text, 10, 64); err != nil {
		return 0, fmt.Errorf("checkpoint %q: %w", data, err)
	}
	return place, nil
}

// parkedMetadata says why and when a message was parked.
type parkedMetadata struct {
	Added  time.Time `json:"added"`
	Reason string    `json:"reason"`
	Number int64     `json:"subscriptionEventNumber"`
}

// parkedEvent is the link that stands for a parked message.
func parkedEvent(m *message, now time.Time) (eslog.Event, error) {
	meta, err := json.Marshal(parkedMetadata{Added: now.UTC(), Reason: m.reason, Number: m.at})
	if err != nil {
		return eslog.Event{}, fmt.Errorf("encode what is said of a parked message: %w", err)
	}
	return eslog.Event{
		ID: domain.NewEventID(), Type: eslog.LinkType, ContentType: eslog.ContentBinary,
		Metadata: meta, Data: linkTo(m.event),
	}, nil
}

// linkTo is the data of a link to what an event is about: a link whose target is
// gone is kept as it was.
func linkTo(e *Event) []byte {
	if e.Record == nil {
		return e.Link.Data
	}
	return fmt.Appendf(nil, "%d@%s", e.Record.Revision, e.Record.Stream)
}

// metadataEvent sets the metadata of a stream of ours.
func metadataEvent(key string, value int64) eslog.Event {
	return eslog.Event{
		ID: domain.NewEventID(), Type: "$metadata", ContentType: eslog.ContentJSON,
		Data: fmt.Appendf(nil, `{"%s":%d}`, key, value),
	}
}

// pinKey is the text by which strategies pin: the stream an event is in, or the
// correlation id that its writer gave.
func pinKey(strategy string, e *Event) string {
	switch strategy {
	case Pinned:
	case PinnedByCorrelation:
		if e.Record != nil {
			var meta struct {
				ID string `json:"$correlationId"`
			}
			if json.Unmarshal(e.Record.Metadata, &meta) == nil && meta.ID != "" {
				return meta.ID
			}
		}
	default:
		return ""
	}
	r := e.Record
	if r == nil {
		r = e.Link
	}
	if stream, _, ok := r.Target(); ok {
		return string(stream)
	}
	return string(r.Stream)
}
