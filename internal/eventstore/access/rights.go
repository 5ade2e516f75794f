package access

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// settingsStream holds the defaults for all streams.
const settingsStream domain.StreamID = "$settings"

// settings are the defaults in force.
type settings struct {
	revision domain.Revision // of the event that says so, counted from 1; 0: none
	user     eslog.ACL
	system   eslog.ACL
}

// Allowed tells whether somebody has a right over a stream. The whole log is the
// stream "$all"; whoever reads or writes a metadata stream needs the right to the
// metadata of the stream it is about.
func (c *Control) Allowed(ctx context.Context, who Principal, stream domain.StreamID, right eslog.Right) (bool, error) {
	of, meta := eslog.OfMetadata(stream)
	if meta {
		switch right {
		case eslog.Read:
			right = eslog.ReadMetadata
		case eslog.Write, eslog.Remove:
			right = eslog.WriteMetadata
		}
	}
	switch {
	case who.In(Admins):
		return true, nil
	case !who.Known(), reserved(of):
		return false, nil
	}
	names, err := c.names(ctx, of, right)
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if n == Everybody || n == who.Name || who.In(n) {
			return true, nil
		}
	}
	return false, nil
}

// reserved tells whether a stream says who may do what: for administrators alone,
// whatever anybody has written.
func reserved(s domain.StreamID) bool {
	return s == settingsStream || s == "$users" || strings.HasPrefix(string(s), string(userStream("")))
}

// names lists who has a right.
func (c *Control) names(ctx context.Context, stream domain.StreamID, right eslog.Right) ([]string, error) {
	st, err := c.log.Embedded().StreamState(ctx, stream)
	if err != nil {
		return nil, err
	}
	acl, err := eslog.ParseACL(st.System[eslog.KeyACL])
	if err != nil {
		return nil, fmt.Errorf("stream %s: %w", stream, err)
	}
	if names, ok := acl[right]; ok {
		return names, nil
	}
	defaults, err := c.defaults(ctx)
	if err != nil {
		return nil, err
	}
	system := strings.HasPrefix(string(stream), "$")
	if name := eslog.NamedACL(st.System[eslog.KeyACL]); name != "" {
		system = name == eslog.SystemStreamACL
	}
	if system {
		if names, ok := defaults.system[right]; ok {
			return names, nil
		}
		return []string{Operators}, nil
	}
	if names, ok := defaults.user[right]; ok {
		return names, nil
	}
	return []string{Everybody}, nil
}

// defaults reads the settings, when they have changed.
func (c *Control) defaults(ctx context.Context) (settings, error) {
	st, err := c.log.Embedded().StreamState(ctx, settingsStream)
	if err != nil || st.Last < 0 || st.Deleted || st.Tombstoned {
		return settings{}, err
	}
	c.mu.Lock()
	known := c.settings
	c.mu.Unlock()
	if known.revision == st.Last+1 {
		return known, nil
	}
	for r, err := range c.log.ReadStream(ctx, settingsStream, eslog.ReadStream{From: st.Last, Limit: 1}) {
		if err != nil {
			return settings{}, fmt.Errorf("read %s: %w", settingsStream, err)
		}
		if known, err = parseSettings(r.Data); err != nil {
			return settings{}, fmt.Errorf("%s: %w", settingsStream, err)
		}
	}
	known.revision = st.Last + 1
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settings = known
	return known, nil
}

func parseSettings(data []byte) (out settings, err error) {
	var raw struct {
		User   json.RawMessage `json:"$userStreamAcl"`
		System json.RawMessage `json:"$systemStreamAcl"`
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return out, err
	}
	if out.user, err = eslog.ParseACL(raw.User); err != nil {
		return out, err
	}
	out.system, err = eslog.ParseACL(raw.System)
	return out, err
}

// CheckSettings names what is wrong with an event for the stream "$settings".
func CheckSettings(stream domain.StreamID, data []byte) error {
	if stream != settingsStream {
		return nil
	}
	if _, err := parseSettings(data); err != nil {
		return fmt.Errorf("%w: %s: %w", streams.ErrInvalid, settingsStream, err)
	}
	return nil
}
