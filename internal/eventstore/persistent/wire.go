package persistent

import (
	"math"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"

	wire "github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"

	"strata/internal/eventstore"
	"strata/internal/eventstore/eslog"
)

// wireSettings are the fields that the settings of Create and Update share. What
// differs in type, the numbered strategy, they have in common as text.
type wireSettings interface {
	GetResolveLinks() bool
	GetExtraStatistics() bool
	GetMaxRetryCount() int32
	GetMinCheckpointCount() int32
	GetMaxCheckpointCount() int32
	GetMaxSubscriberCount() int32
	GetLiveBufferSize() int32
	GetReadBatchSize() int32
	GetHistoryBufferSize() int32
	GetMessageTimeoutTicks() int64
	GetMessageTimeoutMs() int32
	GetCheckpointAfterTicks() int64
	GetCheckpointAfterMs() int32
}

// tick is the unit in which old clients give times.
const tick = 100 * time.Nanosecond

// settingsOf reads settings. strategy is the name of one, if the client gave a
// name; otherwise it gave a number.
func settingsOf(w wireSettings, strategy string) (Settings, error) {
	s := Settings{
		ResolveLinks: w.GetResolveLinks(), ExtraStatistics: w.GetExtraStatistics(), MaxRetryCount: w.GetMaxRetryCount(),
		MinCheckpoint: w.GetMinCheckpointCount(), MaxCheckpoint: w.GetMaxCheckpointCount(), MaxSubscribers: w.GetMaxSubscriberCount(),
		LiveBufferSize: w.GetLiveBufferSize(), ReadBatchSize: w.GetReadBatchSize(), HistoryBufferSize: w.GetHistoryBufferSize(),
		MessageTimeout:  duration(w.GetMessageTimeoutMs(), w.GetMessageTimeoutTicks()),
		CheckpointAfter: duration(w.GetCheckpointAfterMs(), w.GetCheckpointAfterTicks()),
		Strategy:        strategy,
	}
	if strategy == "" {
		var number int32
		switch w := w.(type) {
		case *wire.CreateReq_Settings:
			if w == nil {
				return s, eventstore.Invalid("the settings are missing")
			}
			//lint:ignore SA1019 clients still send it
			number = int32(w.GetNamedConsumerStrategy())
		case *wire.UpdateReq_Settings:
			if w == nil {
				return s, eventstore.Invalid("the settings are missing")
			}
			number = int32(w.GetNamedConsumerStrategy())
		}
		numbered := []string{DispatchToSingle, RoundRobin, Pinned}
		if number < 0 || int(number) >= len(numbered) {
			return s, eventstore.Invalid("named_consumer_strategy is not known")
		}
		s.Strategy = numbered[number]
	}
	return s, nil
}

func duration(ms int32, ticks int64) time.Duration {
	if ms != 0 {
		return time.Duration(ms) * time.Millisecond
	}
	return time.Duration(min(ticks, math.MaxInt64/int64(tick))) * tick
}

// streamStart reads where a group on a stream starts; the largest revisions mean
// the end.
func streamStart(revision uint64, end bool) int64 {
	if end || revision > math.MaxInt64 {
		return FromEnd
	}
	return int64(revision)
}

// allStart reads where a group on the whole log starts.
func allStart(p position, end bool) (commit, prepare int64) {
	return streamStart(p.GetCommitPosition(), end), streamStart(p.GetPreparePosition(), end)
}

type position interface {
	GetCommitPosition() uint64
	GetPreparePosition() uint64
}

func filterOf(f *wire.CreateReq_AllOptions_FilterOptions) (*Filter, error) {
	if f == nil {
		return nil, nil
	}
	e, byType := f.GetStreamIdentifier(), false
	if e == nil {
		e, byType = f.GetEventType(), true
	}
	if e == nil {
		return nil, eventstore.Invalid("the filter has neither stream_identifier nor event_type")
	}
	return &Filter{ByType: byType, Regex: e.GetRegex(), Prefixes: e.GetPrefix()}, nil
}

// wireEvent writes a message for a consumer.
func wireEvent(d *Delivery, structured bool) *wire.ReadResp {
	return &wire.ReadResp{Content: &wire.ReadResp_Event{Event: &wire.ReadResp_ReadEvent{
		Event:    wireRecord(d.Record, structured),
		Link:     wireRecord(d.Link, structured),
		Position: &wire.ReadResp_ReadEvent_CommitPosition{CommitPosition: uint64(d.Original().Position)},
		Count:    &wire.ReadResp_ReadEvent_RetryCount{RetryCount: d.Retries},
	}}}
}

func wireRecord(r *eslog.Record, structured bool) *wire.ReadResp_ReadEvent_RecordedEvent {
	if r == nil {
		return nil
	}
	return &wire.ReadResp_ReadEvent_RecordedEvent{
		Id: eventstore.UUID(r.ID, structured), StreamIdentifier: eventstore.StreamIdentifier(r.Stream),
		StreamRevision: uint64(r.Revision), PreparePosition: uint64(r.Position), CommitPosition: uint64(r.Position), //nolint:gosec // not negative
		Metadata: eventstore.EventProperties(r), CustomMetadata: r.Metadata, Data: r.Data,
	}
}

func parseIDs(list []*shared.UUID) ([]uuid.UUID, error) {
	out := make([]uuid.UUID, len(list))
	for i, v := range list {
		var err error
		if out[i], err = eventstore.ParseUUID(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// wireInfo writes what there is to know of a group.
func wireInfo(i *Info) *wire.SubscriptionInfo {
	s, all := &i.Settings, i.Key.Stream == All
	out := &wire.SubscriptionInfo{
		EventSource: i.Key.Stream, GroupName: i.Key.Group, Status: i.Status,
		AveragePerSecond: count(i.PerSecond), TotalItems: i.Total, CountSinceLastMeasurement: i.Last,
		ResolveLinkTos: s.ResolveLinks, ExtraStatistics: s.ExtraStatistics, MaxRetryCount: s.MaxRetryCount,
		MessageTimeoutMilliseconds: milliseconds(s.MessageTimeout), CheckPointAfterMilliseconds: milliseconds(s.CheckpointAfter),
		LiveBufferSize: s.LiveBufferSize, BufferSize: s.HistoryBufferSize, ReadBatchSize: s.ReadBatchSize,
		MinCheckPointCount: s.MinCheckpoint, MaxCheckPointCount: s.MaxCheckpoint, MaxSubscriberCount: s.MaxSubscribers,
		NamedConsumerStrategy: s.Strategy, StartFrom: startText(all, s), ParkedMessageCount: i.Parked,
		ReadBufferCount: count(i.ReadBuffer), LiveBufferCount: int64(i.ReadBuffer), RetryBufferCount: count(i.RetryBuffer),
		TotalInFlightMessages: count(i.InFlight), OutstandingMessagesCount: count(i.Outstanding),
	}
	if i.HasCheckpoint {
		out.LastCheckpointedEventPosition = PlaceText(all, i.Checkpoint)
	}
	if i.LastKnown >= 0 {
		out.LastKnownEventPosition = PlaceText(all, i.LastKnown)
	}
	for _, c := range i.Connections {
		conn := &wire.SubscriptionInfo_ConnectionInfo{
			From: c.From, Username: c.User, ConnectionName: c.Name, AverageItemsPerSecond: count(c.PerSecond),
			TotalItems: c.Total, CountSinceLastMeasurement: c.Last, AvailableSlots: count(c.Free), InFlightMessages: count(c.InFlight),
		}
		for _, m := range c.Measurements {
			conn.ObservedMeasurements = append(conn.ObservedMeasurements, &wire.SubscriptionInfo_Measurement{Key: m.Name, Value: m.Value})
		}
		out.Connections = append(out.Connections, conn)
	}
	return out
}

// startText writes a start as clients read it: -1 for the end.
func startText(all bool, s *Settings) string {
	if all {
		return positionText(s.StartFrom, s.StartPrepare)
	}
	return PlaceText(false, s.StartFrom)
}

func count(n int) int32 { return int32(min(n, math.MaxInt32)) } //nolint:gosec // bounded

func milliseconds(d time.Duration) int32 { return count(int(d.Milliseconds())) }
