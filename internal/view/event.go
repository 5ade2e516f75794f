package view

import (
	"encoding/json"
	"time"
)

// Event is a domain event as answers and live connections show it.
type Event struct {
	ID       string          `json:"id" example:"evt_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Type     string          `json:"type" doc:"What happened, with the version of its form." example:"session.event_added.v1"`
	Source   string          `json:"source" doc:"The kind of resource it happened to." example:"session"`
	Subject  string          `json:"subject" doc:"The resource it happened to." example:"ses_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Actor    string          `json:"actor,omitempty" doc:"Who caused it: a user, a key or system." example:"key_01jk2m3n4p5q6r7s8t9v0w1x2y"`
	Data     json.RawMessage `json:"data" doc:"What it carries, as recorded; secrets are masked."`
	Time     time.Time       `json:"time"`
	Sequence uint64          `json:"sequence" doc:"Its place in the log: grows from event to event; resume after it." example:"1042"`
}
