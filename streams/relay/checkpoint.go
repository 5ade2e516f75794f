package relay

import (
	"encoding/json"
	"fmt"
	"slices"

	"strata/domain"
	"strata/streams"
)

// checkpoint says how far the log has been published. It is the state of the
// relay's lease.
type checkpoint struct {
	Position   domain.Position            `json:"position"`         // of the categories below
	Categories []string                   `json:"categories"`       // that are allowed and have come so far
	Behind     map[string]domain.Position `json:"behind,omitempty"` // of others: new ones, and those that were allowed once
	Last       *streams.Mark              `json:"last,omitempty"`   // the event that was published last; nil: none
}

// resumed reads a checkpoint for the categories that are allowed now.
func resumed(state json.RawMessage, allowed []string) (checkpoint, error) {
	var was checkpoint
	if state != nil {
		if err := json.Unmarshal(state, &was); err != nil {
			return was, fmt.Errorf("relay: checkpoint: %w", err)
		}
	}
	now := checkpoint{Position: was.Position, Behind: map[string]domain.Position{}, Last: was.Last}
	for category, at := range was.Behind {
		now.Behind[category] = at
	}
	for _, category := range was.Categories {
		if !slices.Contains(allowed, category) {
			now.Behind[category] = was.Position
		}
	}
	for _, category := range allowed {
		if slices.Contains(was.Categories, category) {
			now.Categories = append(now.Categories, category)
		} else if now.Behind[category] >= now.Position {
			now.join(category)
		} else if _, known := now.Behind[category]; !known {
			now.Behind[category] = 0
		}
	}
	return now, nil
}

// join counts a category among those that have come so far.
func (c *checkpoint) join(category string) {
	delete(c.Behind, category)
	c.Categories = append(c.Categories, category)
}

// late are the allowed categories that are behind.
func (c *checkpoint) late(allowed []string) []string {
	var out []string
	for _, category := range allowed {
		if !slices.Contains(c.Categories, category) {
			out = append(out, category)
		}
	}
	return out
}

func (c *checkpoint) encode() (json.RawMessage, error) {
	state, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("relay: checkpoint: %w", err)
	}
	return state, nil
}
