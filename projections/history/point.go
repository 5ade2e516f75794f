package history

import (
	"strconv"
	"strings"
	"time"

	"strata/domain"
)

// Point names a moment in the life of a resource: one of its revisions, or the
// last one that the log had accepted by some time. The zero Point is revision 0.
type Point struct {
	Revision domain.Revision
	Time     time.Time // zero: the point is a revision
}

// ParsePoint reads "7", a revision as ETag names it, or an RFC 3339 time. field
// is how the caller wrote the parameter's name, for errors.
//
// Errors: VALIDATION_ERROR naming the field for anything else.
func ParsePoint(field, text string) (Point, error) {
	if revision, err := strconv.ParseInt(text, 10, 64); err == nil && isDigits(text) && domain.Revision(revision) < maxRevision {
		return Point{Revision: domain.Revision(revision)}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil && !at.IsZero() {
		return Point{Time: at.UTC()}, nil
	}
	hint := ""
	if strings.Contains(text, " ") {
		hint = "; a + in a query is written %2B"
	}
	return Point{}, fault(field, "must be a revision (0, 1, 2 …) or an RFC 3339 time such as 2024-01-15T10:30:00Z%s", hint)
}

// maxRevision keeps revisions well away from the values with a meaning of their
// own (streams.End).
const maxRevision = domain.Revision(1) << 48

func isDigits(text string) bool { return strings.Trim(text, "0123456789") == "" }

func fault(field, format string, args ...any) error {
	var f domain.Faults
	f.Add(true, field, format, args...)
	return f.Err()
}
