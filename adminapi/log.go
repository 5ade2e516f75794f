package adminapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"strata/domain"
	"strata/internal/httpx"
	"strata/streams/embedded"
)

// eventLog is how the event log itself is shown.
type eventLog struct {
	Head       uint64   `json:"head" doc:"Position of the last event." example:"1042"`
	Segments   int      `json:"segments" doc:"Files that hold the events." example:"3"`
	Bytes      int64    `json:"bytes" doc:"Of events, in segments." example:"184549376"`
	IndexBytes int64    `json:"index_bytes" doc:"Of index files; they can be made again." example:"16777216"`
	Writable   bool     `json:"writable" doc:"Whether it takes events." example:"true"`
	Error      string   `json:"error,omitempty" doc:"Why it takes none."`
	Scavenge   scavenge `json:"scavenge" doc:"The scavenge that runs, or the last one."`
}

// scavenge is how a scavenge of the event log is shown.
type scavenge struct {
	State        string     `json:"state" enum:"never,running,done,cancelled,failed" example:"done"`
	StartedAt    *time.Time `json:"started_at" nullable:"true"`
	Streams      int        `json:"streams" doc:"Streams that hide events, because they were truncated or deleted." example:"12"`
	Segments     int        `json:"segments" doc:"Segments to look at." example:"2"`
	Looked       int        `json:"looked" doc:"Segments looked at so far." example:"2"`
	Rewritten    int        `json:"rewritten" doc:"Segments that were replaced." example:"1"`
	Removed      uint64     `json:"removed" doc:"Events that are not on disk any more." example:"240"`
	FreedBytes   int64      `json:"freed_bytes" example:"98304"`
	DurationMS   int64      `json:"duration_ms" example:"310"`
	FailedReason string     `json:"error,omitempty" doc:"Why it failed. What it had freed stays freed."`
}

type startScavenge struct {
	Body struct {
		BytesPerSecond int64 `json:"bytes_per_second" minimum:"0" doc:"At most so much is read and written again per second; 0 = as fast as it goes." example:"50000000"`
	}
}

// errServersLog answers who would look after a log that is not this process's.
var errServersLog = domain.Errorf(domain.CodeUnavailable, "the event log is kept by a server of its own; look after it there")

func (a *API) eventLog() {
	op := func(id, method, path, summary, verb string) httpx.Op {
		return httpx.Op{ID: id, Method: method, Path: "/admin/log" + path, Mount: httpx.API, Tag: "Admin", Summary: summary,
			Permission: "log:" + verb, Installation: true}
	}
	httpx.Register(a.r, op("getEventLog", http.MethodGet, "", "Get the state of the event log", "get"), a.showLog)

	begin := op("scavengeEventLog", http.MethodPost, "/scavenge", "Remove from disk what no stream shows any more", "scavenge")
	begin.Status = http.StatusAccepted
	begin.Description = "Events that stream metadata hides, and those of deleted streams, leave the disk. It runs in the background, beside reads and writes; " +
		"`GET /admin/log` tells how it stands. Read models that are built anew do not see what was removed."
	httpx.Register(a.r, begin, func(_ context.Context, in *startScavenge) (httpx.Reply[scavenge], error) {
		if a.Scavenges == nil {
			return httpx.Reply[scavenge]{}, errServersLog
		}
		err := a.Scavenges.Start(embedded.ScavengeOptions{BytesPerSecond: in.Body.BytesPerSecond})
		if errors.Is(err, embedded.ErrScavenging) {
			err = domain.Errorf(domain.CodeConflict, "the event log is being scavenged already").Because(err)
		}
		if err != nil {
			return httpx.Reply[scavenge]{}, err
		}
		return httpx.Respond(showScavenge(a.Scavenges.Status()))
	})
	cancel := op("cancelEventLogScavenge", http.MethodDelete, "/scavenge", "Cancel a scavenge", "scavenge")
	cancel.Description = "What it has freed stays freed. Without one that runs it changes nothing."
	httpx.Register(a.r, cancel, func(context.Context, *struct{}) (httpx.Reply[scavenge], error) {
		if a.Scavenges == nil {
			return httpx.Reply[scavenge]{}, errServersLog
		}
		a.Scavenges.Cancel()
		return httpx.Respond(showScavenge(a.Scavenges.Status()))
	})
}

func (a *API) showLog(context.Context, *struct{}) (httpx.Reply[eventLog], error) {
	if a.Log == nil {
		return httpx.Reply[eventLog]{}, errServersLog
	}
	stats, err := a.Log.Stats()
	if err != nil {
		return httpx.Reply[eventLog]{}, domain.Errorf(domain.CodeUnavailable, "the event log is closed").Because(err)
	}
	out := eventLog{Head: uint64(stats.Head), Segments: stats.Segments, Bytes: stats.Bytes, IndexBytes: stats.IndexBytes,
		Writable: true, Scavenge: showScavenge(a.Scavenges.Status())}
	if err := a.Log.Err(); err != nil {
		out.Writable, out.Error = false, err.Error()
	}
	return httpx.Respond(out)
}

func showScavenge(s embedded.ScavengeStatus) scavenge {
	r := s.Report
	out := scavenge{State: string(s.State), Streams: r.Streams, Segments: r.Segments, Looked: r.Looked, Rewritten: r.Rewritten,
		Removed: r.Removed, FreedBytes: r.Freed, DurationMS: r.Took.Milliseconds(), FailedReason: s.Error}
	if !r.StartedAt.IsZero() {
		out.StartedAt = &r.StartedAt
	}
	return out
}
