package eventstoredb

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	pb "github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"strata/domain"
	"strata/streams"
)

// recorded makes the port's event of what a server sent.
func recorded(e *pb.ReadResp_ReadEvent) (streams.Recorded, error) {
	r := e.GetEvent()
	if r == nil {
		return streams.Recorded{}, fmt.Errorf("the server sent an event without content at position %d", e.GetCommitPosition())
	}
	md := r.GetMetadata()
	out := streams.Recorded{
		Proposed: streams.Proposed{ID: fromUUID(r.GetId()), Type: md[typeKey], Data: r.GetData()},
		Stream:   domain.StreamID(r.GetStreamIdentifier().GetStreamName()),
		Revision: domain.Revision(r.GetStreamRevision()),
		Position: domain.Position(r.GetCommitPosition()),
	}
	out.Workspace, out.Meta = unwrap(r.GetCustomMetadata())
	ticks, err := strconv.ParseInt(md[createdKey], 10, 64)
	if err != nil {
		return out, fmt.Errorf("event %d was recorded at %q, which is no time: %w", out.Position, md[createdKey], err)
	}
	out.At = time.UnixMicro(ticks / 10).UTC()
	if out.Type == streams.TypeTombstone && !streams.IsSystem(out.Stream) {
		// The server keeps it as the last event of the stream that it closes; to
		// the port it is a system record.
		out.Stream = "$$" + out.Stream
	}
	return out, nil
}

// matches is the filter of the port. Streams that belong to the server itself,
// for its own purposes or its statistics, are selected by name only, like "$$".
func matches(f *streams.Filter, e *streams.Recorded) bool {
	if strings.HasPrefix(string(e.Stream), "$") && (f == nil || len(f.Categories)+len(f.Types)+len(f.TypePrefixes) == 0) {
		return false
	}
	return f.Matches(e)
}

// checkpointEvery is after how many events a server looks up from filtering.
const checkpointEvery = 512

// serverFilter is what of a filter the server can do: it lets through all that
// matches, and may let through more. Nil is everything.
func serverFilter(f *streams.Filter) *pb.ReadReq_Options_FilterOptions {
	if f == nil {
		return nil
	}
	out := &pb.ReadReq_Options_FilterOptions{
		Window:                       &pb.ReadReq_Options_FilterOptions_Max{Max: checkpointEvery},
		CheckpointIntervalMultiplier: 1,
	}
	if len(f.Categories) > 0 {
		var prefixes []string
		for _, c := range f.Categories {
			prefixes = append(prefixes, c)
			if of, system := strings.CutPrefix(c, "$$"); system {
				prefixes = append(prefixes, of) // where the server has the tombstones
			}
		}
		if !emptyAmong(prefixes) {
			out.Filter = &pb.ReadReq_Options_FilterOptions_StreamIdentifier{StreamIdentifier: &pb.ReadReq_Options_FilterOptions_Expression{Prefix: prefixes}}
			return out
		}
	}
	if types := append(append([]string{}, f.Types...), f.TypePrefixes...); len(types) > 0 && !emptyAmong(types) {
		out.Filter = &pb.ReadReq_Options_FilterOptions_EventType{EventType: &pb.ReadReq_Options_FilterOptions_Expression{Prefix: types}}
		return out
	}
	return nil
}

// emptyAmong tells whether a list of prefixes has one that everything begins with.
func emptyAmong(prefixes []string) bool {
	for _, p := range prefixes {
		if p == "" {
			return true
		}
	}
	return false
}
