package persistent

import (
	"slices"
	"strings"
	"time"

	"strata/domain"
)

// Names of the strategies by which a group chooses a consumer.
const (
	RoundRobin          = "RoundRobin"
	DispatchToSingle    = "DispatchToSingle"
	Pinned              = "Pinned"
	PinnedByCorrelation = "PinnedByCorrelation"
)

// All is the name under which the whole log is a group's source.
const All = "$all"

// Settings are what the owner of a group chooses.
type Settings struct {
	ResolveLinks      bool          `json:"resolve_links,omitempty"`
	ExtraStatistics   bool          `json:"extra_statistics,omitempty"`   // measure how long consumers take
	MessageTimeout    time.Duration `json:"message_timeout"`              // time to answer for a message; 0 = for ever
	MaxRetryCount     int32         `json:"max_retry_count"`              // retries before a message is parked
	MinCheckpoint     int32         `json:"min_checkpoint"`               // messages that a checkpoint by time needs
	MaxCheckpoint     int32         `json:"max_checkpoint"`               // messages that make a checkpoint at once; 0 = any number
	CheckpointAfter   time.Duration `json:"checkpoint_after"`             // time between two checkpoints
	LiveBufferSize    int32         `json:"live_buffer_size"`             // messages held ready once the group has caught up
	HistoryBufferSize int32         `json:"history_buffer_size"`          // messages held ready before that
	ReadBatchSize     int32         `json:"read_batch_size"`              // events read at once
	MaxSubscribers    int32         `json:"max_subscribers,omitempty"`    // consumers at a time; 0 = any number
	Strategy          string        `json:"strategy"`                     // which consumer gets a message
	StartFrom         int64         `json:"start_from"`                   // first revision or position; FromEnd = what comes
	StartPrepare      int64         `json:"start_from_prepare,omitempty"` // second half of a position, given back as it came
	Filter            *Filter       `json:"filter,omitempty"`             // of a group on the whole log
}

// FromEnd as a start means: only events that come after the group was made.
const FromEnd int64 = -1

// Filter chooses events of the whole log, by the name of their stream or by
// their type: those that match the expression, or begin with one of the prefixes.
type Filter struct {
	ByType   bool     `json:"by_type,omitempty"`
	Regex    string   `json:"regex,omitempty"`
	Prefixes []string `json:"prefixes,omitempty"`
}

// validate names every field that cannot be right.
func (s *Settings) validate() error {
	var f domain.Faults
	for name, v := range map[string]int32{"max_retry_count": s.MaxRetryCount, "min_checkpoint_count": s.MinCheckpoint,
		"max_checkpoint_count": s.MaxCheckpoint, "max_subscriber_count": s.MaxSubscribers} {
		f.Add(v < 0, name, "must not be negative")
	}
	for name, v := range map[string]int32{"live_buffer_size": s.LiveBufferSize, "history_buffer_size": s.HistoryBufferSize,
		"read_batch_size": s.ReadBatchSize} {
		f.Add(v < 1, name, "must be positive")
	}
	f.Add(s.MessageTimeout < 0, "message_timeout", "must not be negative")
	f.Add(s.CheckpointAfter < 0, "checkpoint_after", "must not be negative")
	f.Add(s.StartFrom < FromEnd, "start_from", "is no revision or position")
	f.Add(!slices.Contains(strategies(), s.Strategy), "consumer_strategy", "must be one of %s", strings.Join(strategies(), ", "))
	return f.Err()
}

func strategies() []string {
	return []string{DispatchToSingle, RoundRobin, Pinned, PinnedByCorrelation}
}
