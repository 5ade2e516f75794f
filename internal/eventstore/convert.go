package eventstore

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"

	"strata/domain"
	"strata/internal/eventstore/eslog"
	"strata/streams"
)

// ParseUUID reads an id in either of its two forms.
func ParseUUID(u *shared.UUID) (uuid.UUID, error) {
	switch v := u.GetValue().(type) {
	case *shared.UUID_Structured_:
		var out uuid.UUID
		binary.BigEndian.PutUint64(out[:8], uint64(v.Structured.GetMostSignificantBits()))  //nolint:gosec // bits
		binary.BigEndian.PutUint64(out[8:], uint64(v.Structured.GetLeastSignificantBits())) //nolint:gosec // bits
		return out, nil
	case *shared.UUID_String_:
		out, err := uuid.Parse(v.String_)
		if err != nil {
			return uuid.Nil, Invalid("the id " + strconv.Quote(v.String_) + " is no UUID")
		}
		return out, nil
	}
	return uuid.Nil, Invalid("an id is missing")
}

// UUID writes an id as structured halves or as text.
func UUID(u uuid.UUID, structured bool) *shared.UUID {
	if !structured {
		return &shared.UUID{Value: &shared.UUID_String_{String_: u.String()}}
	}
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits:  int64(binary.BigEndian.Uint64(u[:8])), //nolint:gosec // bits
		LeastSignificantBits: int64(binary.BigEndian.Uint64(u[8:])), //nolint:gosec // bits
	}}}
}

// ParseStream reads the name of a stream.
func ParseStream(id *shared.StreamIdentifier) (domain.StreamID, error) {
	name := id.GetStreamName()
	if len(name) == 0 {
		return "", Invalid("the stream's name is missing")
	}
	if !utf8.Valid(name) {
		return "", Invalid("the stream's name is not UTF-8")
	}
	return domain.StreamID(name), nil
}

// StreamIdentifier writes the name of a stream.
func StreamIdentifier(s domain.StreamID) *shared.StreamIdentifier {
	return &shared.StreamIdentifier{StreamName: []byte(s)}
}

// EventProperties are what clients expect beside an event's data. Without
// "created", in units of 100 ns since 1970, official clients stop their process.
func EventProperties(r *eslog.Record) map[string]string {
	return map[string]string{
		"type":         r.Type,
		"content-type": r.ContentType,
		"created":      strconv.FormatInt(r.At.UnixMicro()*10, 10),
	}
}

// Values of expected revisions in errors.
const (
	wireNoStream     = -1
	wireAny          = -2
	wireStreamExists = -4
)

func wireExpected(e streams.Expected) int64 {
	switch e {
	case streams.Any:
		return wireAny
	case streams.StreamExists:
		return wireStreamExists
	case streams.NoStream:
		return wireNoStream
	}
	return int64(e)
}

// expectRevision reads an exact expected revision. One that no stream can have
// is taken for one that this stream does not have.
func expectRevision(r uint64) streams.Expected {
	return streams.Expected(min(r, uint64(streams.End)))
}

// revision reads the revision of a read; the largest ones mean the end.
func revision(r uint64) domain.Revision { return domain.Revision(min(r, uint64(streams.End))) }
