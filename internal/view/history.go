package view

import (
	"encoding/json"
	"time"
)

// Change is one difference between two views of a resource.
type Change struct {
	Path   string          `json:"path" doc:"JSON pointer (RFC 6901) into the resource as this API shows it. /list/- is an addition to a list that grows." example:"/name"`
	Op     string          `json:"op" enum:"add,remove,replace" doc:"As in JSON Patch (RFC 6902)." example:"replace"`
	Before json.RawMessage `json:"before,omitempty" doc:"Absent for add." example:"\"Help desk\""`
	After  json.RawMessage `json:"after,omitempty" doc:"Absent for remove." example:"\"Service desk\""`
}

// HistoryEntry is one revision of a resource: who made it, when, and what it
// changed.
type HistoryEntry struct {
	Revision      int64     `json:"revision" doc:"From 0. ?at= takes it." example:"1"`
	Position      uint64    `json:"position" doc:"Of the event in the log." example:"1042"`
	EventID       string    `json:"event_id" example:"evt_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Type          string    `json:"type" doc:"What happened." example:"app.updated.v1"`
	Actor         string    `json:"actor,omitempty" doc:"Who did it: a user, a key or system." example:"key_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	OccurredAt    time.Time `json:"occurred_at" doc:"When it was decided."`
	RecordedAt    time.Time `json:"recorded_at" doc:"When the log accepted it. ?at= goes by it."`
	RequestID     string    `json:"request_id,omitempty" example:"req_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	CorrelationID string    `json:"correlation_id,omitempty" example:"req_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Erased        bool      `json:"erased,omitempty" doc:"Whether what happened was erased with a person's data."`
	Changes       []Change  `json:"changes" doc:"Against the revision before; against nothing, {}, for the first."`
}

// Diff tells how two moments of a resource differ.
type Diff struct {
	From    *Moment  `json:"from" nullable:"true" doc:"Null before the resource was created."`
	To      Moment   `json:"to"`
	Changes []Change `json:"changes" doc:"What leads from the first view to the second, in order. A resource that is not there any more is {}."`
}

// Moment is a revision of a resource.
type Moment struct {
	Revision   int64     `json:"revision" example:"1"`
	RecordedAt time.Time `json:"recorded_at" doc:"When the log accepted it."`
	Exists     bool      `json:"exists" doc:"False once it was deleted." example:"true"`
}
