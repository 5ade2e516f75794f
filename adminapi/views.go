package adminapi

import (
	"encoding/json"
	"time"

	"strata/domain"
	"strata/projections"
	"strata/streams/logbus"
)

// projection is how what follows the log is shown.
type projection struct {
	Name      string     `json:"name" example:"sessions"`
	Kind      string     `json:"kind" enum:"model,reactor" doc:"A read model, which can be rebuilt, or a reactor or writer, which acts on events." example:"model"`
	Version   int        `json:"version,omitempty" doc:"Of a read model's tables." example:"1"`
	Status    string     `json:"status" enum:"running,rebuilding,stopped,faulted" example:"running"`
	State     string     `json:"state" doc:"What it is doing, more exactly." example:"live"`
	Ready     bool       `json:"ready" doc:"Whether it can be read. A model that is built for the first time cannot." example:"true"`
	Position  uint64     `json:"position" doc:"Everything up to here is reflected, or parked." example:"1042"`
	Head      uint64     `json:"head" doc:"End of the log." example:"1042"`
	Lag       uint64     `json:"lag" doc:"Positions behind the head." example:"0"`
	Parked    int        `json:"parked" doc:"Events set aside because they, or one before them, could not be taken." example:"0"`
	Error     string     `json:"error,omitempty" doc:"What keeps it from going on, now."`
	LastError string     `json:"last_error,omitempty" doc:"The latest, also when it is over."`
	UpdatedAt *time.Time `json:"updated_at,omitempty" doc:"When its position last moved since the server started."`
	Rebuild   *rebuild   `json:"rebuild,omitempty" doc:"The rebuild that runs, or the last one."`
}

// rebuild is how a rebuild beside the living model is shown.
type rebuild struct {
	State           string       `json:"state" enum:"filling,indexing,comparing,done,cancelled,failed" example:"done"`
	Position        uint64       `json:"position" doc:"How far the new rows are." example:"1042"`
	Target          uint64       `json:"target" doc:"How far the living rows are." example:"1042"`
	EventsPerSecond int          `json:"events_per_second" doc:"Its limit; 0 = none." example:"0"`
	StartedAt       time.Time    `json:"started_at"`
	FinishedAt      *time.Time   `json:"finished_at" nullable:"true"`
	ComparedAt      uint64       `json:"compared_at,omitempty" doc:"The position as of which old and new rows were compared." example:"1040"`
	Differences     []difference `json:"differences" doc:"Tables in which old and new rows differ. The new ones are what the log says."`
	Parked          int          `json:"parked" doc:"Events that the new model had to set aside." example:"0"`
	LeftOut         int          `json:"left_out" doc:"Events that were discarded before and so are left out." example:"0"`
	Error           string       `json:"error,omitempty"`
}

type difference struct {
	Table      string   `json:"table" example:"sessions"`
	RowsBefore int      `json:"rows_before" doc:"-1 when there was no such table." example:"12"`
	RowsAfter  int      `json:"rows_after" example:"12"`
	OnlyBefore int      `json:"only_before" doc:"Distinct rows that are gone." example:"1"`
	OnlyAfter  int      `json:"only_after" doc:"Distinct rows that are new." example:"1"`
	Samples    []string `json:"samples" doc:"A few of them: A is before, B is after."`
}

// parked is a parked event in a list.
type parked struct {
	Position uint64    `json:"position" example:"1042"`
	Stream   string    `json:"stream" example:"session-ses_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Type     string    `json:"type" example:"session.event_added.v1"`
	Error    string    `json:"error,omitempty" doc:"Why it could not be taken."`
	At       time.Time `json:"at" doc:"When it was parked, or last failed."`
	Waiting  bool      `json:"waiting" doc:"It did not fail itself: it waits behind one that did."`
}

// inspected is a parked event with what it carries.
type inspected struct {
	parked
	Gone        bool            `json:"gone" doc:"It has left the log; a retry takes it off the queue."`
	ID          string          `json:"id,omitempty"`
	Revision    int64           `json:"revision" doc:"Its place in its stream." example:"3"`
	RecordedAt  *time.Time      `json:"recorded_at,omitempty"`
	Data        json.RawMessage `json:"data,omitempty" doc:"What it carries, in its newest form, secrets masked. Absent when it cannot be decoded."`
	Metadata    json.RawMessage `json:"metadata,omitempty" doc:"Who caused it, when and why, as recorded."`
	DecodeError string          `json:"decode_error,omitempty" doc:"Why it cannot be decoded."`
	Raw         []byte          `json:"raw,omitempty" doc:"What the log holds, base64; only when it cannot be decoded."`
}

func showModel(s projections.Status, head domain.Position) projection {
	out := projection{Name: s.Model, Kind: "model", Version: s.Version, State: string(s.State), Ready: s.Ready, Position: uint64(s.Position),
		Head: uint64(max(head, s.Position)), Lag: s.Lag, Parked: s.Parked, Error: s.Error, LastError: s.LastError, UpdatedAt: at(s.UpdatedAt)}
	switch {
	case s.State == projections.StateStopped:
		out.Status = "stopped"
	case s.State == projections.StateRetrying:
		out.Status = "faulted"
	case !s.Ready || s.Rebuild != nil && !s.Rebuild.State.Ended():
		out.Status = "rebuilding"
	default:
		out.Status = "running"
	}
	if r := s.Rebuild; r != nil {
		out.Rebuild = &rebuild{State: string(r.State), Position: uint64(r.Position), Target: uint64(r.Target), EventsPerSecond: r.EventsPerSecond,
			StartedAt: r.StartedAt, FinishedAt: at(r.FinishedAt), ComparedAt: uint64(r.ComparedAt), Differences: []difference{},
			Parked: r.Parked, LeftOut: r.LeftOut, Error: r.Error}
		for _, d := range r.Differences {
			out.Rebuild.Differences = append(out.Rebuild.Differences, difference{Table: d.Table, RowsBefore: d.RowsA, RowsAfter: d.RowsB,
				OnlyBefore: d.OnlyA, OnlyAfter: d.OnlyB, Samples: append([]string{}, d.Samples...)})
		}
	}
	return out
}

func showReactor(s logbus.Status, head domain.Position) projection {
	out := projection{Name: s.Name, Kind: "reactor", Status: "running", State: "live", Ready: true, Position: uint64(s.Position),
		Head: uint64(max(head, s.Position)), Lag: s.Lag, Parked: s.Parked, Error: s.Error, LastError: s.Error}
	switch {
	case s.Error != "":
		out.Status, out.State = "faulted", "retrying"
	case s.Lag > 0:
		out.State = "catching_up"
	}
	return out
}

func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
