package audit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"strata/domain"
)

// line is an entry in a file.
type line struct {
	ID             string `json:"id"`
	Timestamp      string `json:"timestamp"`
	ActorID        string `json:"actorId"`
	ActorType      string `json:"actorType"`
	Action         string `json:"action"`
	Type           string `json:"type"`
	ResourceType   string `json:"resourceType"`
	ResourceID     string `json:"resourceId"`
	Stream         string `json:"stream"`
	Revision       int64  `json:"revision"`
	Position       uint64 `json:"position"`
	Outcome        string `json:"outcome"`
	RequestID      string `json:"requestId"`
	CorrelationID  string `json:"correlationId"`
	OrganizationID string `json:"organizationId"`
	WorkspaceID    string `json:"workspaceId"`
	ContentHash    Hash   `json:"contentHash"`
	PrevHash       Hash   `json:"prevHash"`
	Hash           Hash   `json:"hash"`
}

func lineOf(e *Entry) line {
	return line{ID: e.ID, Timestamp: domain.FormatTime(e.OccurredAt), ActorID: e.Actor, ActorType: e.ActorType(), Action: e.Action(),
		Type: e.Type, ResourceType: e.Stream.Category(), ResourceID: e.Stream.Key(), Stream: string(e.Stream),
		Revision: int64(e.Revision), Position: uint64(e.Position), Outcome: Success, RequestID: e.RequestID, CorrelationID: e.CorrelationID,
		OrganizationID: e.Organization, WorkspaceID: e.Workspace, ContentHash: e.Content, PrevHash: e.Prev, Hash: e.Hash}
}

// entry reads a line. What a line says twice it must say alike.
func (l *line) entry() (Entry, error) {
	at, err := time.Parse(time.RFC3339, l.Timestamp)
	if err != nil {
		return Entry{}, fmt.Errorf("timestamp %q is no time", l.Timestamp)
	}
	e := Entry{ID: l.ID, Type: l.Type, Stream: domain.StreamID(l.Stream), Revision: domain.Revision(l.Revision),
		Position: domain.Position(l.Position), Workspace: l.WorkspaceID, Organization: l.OrganizationID, Actor: l.ActorID,
		RequestID: l.RequestID, CorrelationID: l.CorrelationID, OccurredAt: at.UTC(), Content: l.ContentHash, Prev: l.PrevHash, Hash: l.Hash}
	if lineOf(&e) != *l {
		return e, fmt.Errorf("its fields contradict each other")
	}
	return e, nil
}

// columns of a CSV file, in order.
func columns() []string {
	return []string{"id", "timestamp", "actorId", "actorType", "action", "type", "resourceType", "resourceId", "stream", "revision", "position",
		"outcome", "requestId", "correlationId", "organizationId", "workspaceId", "contentHash", "prevHash", "hash"}
}

func (l *line) cells() []string {
	cells := []string{l.ID, l.Timestamp, l.ActorID, l.ActorType, l.Action, l.Type, l.ResourceType, l.ResourceID, l.Stream,
		strconv.FormatInt(l.Revision, 10), strconv.FormatUint(l.Position, 10), l.Outcome, l.RequestID, l.CorrelationID,
		l.OrganizationID, l.WorkspaceID, l.ContentHash.String(), l.PrevHash.String(), l.Hash.String()}
	for i, c := range cells {
		cells[i] = harmless(c)
	}
	return cells
}

func lineOfCells(cells []string) (l line, err error) {
	c := slices.Clone(cells)
	for i := range c {
		if c[i], err = plain(c[i]); err != nil {
			return l, err
		}
	}
	l = line{ID: c[0], Timestamp: c[1], ActorID: c[2], ActorType: c[3], Action: c[4], Type: c[5], ResourceType: c[6], ResourceID: c[7],
		Stream: c[8], Outcome: c[11], RequestID: c[12], CorrelationID: c[13], OrganizationID: c[14], WorkspaceID: c[15]}
	if l.Revision, err = strconv.ParseInt(c[9], 10, 64); err != nil {
		return l, fmt.Errorf("revision %q is no number", c[9])
	}
	if l.Position, err = strconv.ParseUint(c[10], 10, 64); err != nil {
		return l, fmt.Errorf("position %q is no number", c[10])
	}
	for i, h := range []*Hash{&l.ContentHash, &l.PrevHash, &l.Hash} {
		if err := h.UnmarshalText([]byte(c[16+i])); err != nil {
			return l, err
		}
	}
	return l, nil
}

// formulas are the beginnings that make a spreadsheet compute a cell.
const formulas = "=+-@\t\r\n'"

// harmless puts an apostrophe before what a spreadsheet would take for a
// formula, and before an apostrophe, so that it can be taken off again.
// A cell with line ends is quoted as a whole, because a CSV reader may turn one
// kind of line end into another.
func harmless(cell string) string {
	if strings.ContainsAny(cell, "\r\n") {
		return "'" + strconv.Quote(cell)
	}
	if cell != "" && strings.IndexByte(formulas, cell[0]) >= 0 {
		return "'" + cell
	}
	return cell
}

func plain(cell string) (string, error) {
	inner, quoted := strings.CutPrefix(cell, "'")
	if text, err := strconv.Unquote(inner); quoted && err == nil {
		inner = text
	}
	if !quoted && harmless(cell) != cell || quoted && harmless(inner) != cell {
		return "", fmt.Errorf("cell %.40q is not as it was written", cell)
	}
	return inner, nil
}
