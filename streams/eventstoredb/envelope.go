package eventstoredb

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
)

// An event's metadata is a JSON object to every client. Strata's own says in its
// member "workspace" whose the event is, and then stands as it is. Where that
// member does not say what the writer said, a member before all others does:
//
//	{"$workspace":"ws_1","of":"made"}            the metadata is {"of":"made"}
//	{"$workspace":"ws_1","$meta":"AQI="}         the metadata is no object: base64
//	{"$workspace":"ws_1","$meta":""}             there is none
const (
	workspaceMark = `{"$workspace":`
	metaMark      = `,"$meta":"`
	workspaceKey  = "workspace"
)

// wrap makes the metadata of an event as it is sent.
func wrap(workspace string, meta []byte) []byte {
	isObject := len(meta) > 0 && meta[0] == '{' && json.Valid(meta)
	marked := bytes.HasPrefix(meta, []byte(workspaceMark)) || bytes.HasPrefix(meta, []byte("{"+metaMark[1:]))
	if isObject && !marked && workspaceOf(meta) == workspace || len(meta) == 0 && workspace == "" {
		return meta
	}
	name, err := json.Marshal(workspace)
	if err != nil {
		name = []byte(`""`) // a string is always marshalled
	}
	out := append(make([]byte, 0, len(meta)+len(workspace)+48), workspaceMark...)
	out = append(out, name...)
	switch {
	case !isObject || marked:
		out = append(out, metaMark...)
		out = base64.StdEncoding.AppendEncode(out, meta)
		return append(out, `"}`...)
	case string(bytes.TrimSpace(meta[1:])) == "}":
		return append(out, meta[1:]...) // nothing to separate
	}
	return append(append(out, ','), meta[1:]...)
}

// unwrap is the inverse of wrap. What others wrote is metadata as it stands.
func unwrap(sent []byte) (workspace string, meta []byte) {
	rest, marked := bytes.CutPrefix(sent, []byte(workspaceMark))
	if !marked {
		return workspaceOf(sent), sent
	}
	n := stringEnd(rest)
	if n < 0 || json.Unmarshal(rest[:n], &workspace) != nil {
		return workspaceOf(sent), sent
	}
	rest = rest[n:]
	if text, is := bytes.CutPrefix(rest, []byte(metaMark)); is {
		text, closed := bytes.CutSuffix(text, []byte(`"}`))
		meta, err := base64.StdEncoding.AppendDecode(nil, text)
		if !closed || err != nil {
			return workspaceOf(sent), sent
		}
		return workspace, meta
	}
	rest = bytes.TrimPrefix(rest, []byte{','})
	meta = make([]byte, 0, len(rest)+1)
	return workspace, append(append(meta, '{'), rest...)
}

// workspaceOf returns the member "workspace" of a JSON object, when it is a
// string; "" otherwise. It looks at the first level only, and at what is not
// JSON without harm: every event of the log passes here.
func workspaceOf(object []byte) string {
	rest := skipSpace(object)
	if len(rest) == 0 || rest[0] != '{' {
		return ""
	}
	found := ""
	rest = skipSpace(rest[1:])
	for len(rest) > 0 && rest[0] == '"' {
		n := stringEnd(rest)
		if n < 0 {
			return ""
		}
		name := rest[:n]
		rest = skipSpace(rest[n:])
		if len(rest) == 0 || rest[0] != ':' {
			return ""
		}
		rest = skipSpace(rest[1:])
		if n = valueEnd(rest); n < 0 {
			return ""
		}
		if string(name) == `"`+workspaceKey+`"` {
			found = text(rest[:n])
		}
		rest = skipSpace(rest[n:])
		if len(rest) == 0 || rest[0] != ',' {
			break
		}
		rest = skipSpace(rest[1:])
	}
	if len(rest) == 0 || rest[0] != '}' {
		return ""
	}
	return found
}

// text returns a JSON string's value; "" of anything else.
func text(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner)
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

func skipSpace(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// stringEnd returns the length of the JSON string that b begins with; -1 if none.
func stringEnd(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return -1
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// valueEnd returns the length of the JSON value that b begins with; -1 if none.
func valueEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			n := stringEnd(b[i:])
			if n < 0 {
				return -1
			}
			if i += n - 1; depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // the end of a number, and of the object around it
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

func toUUID(id uuid.UUID) *shared.UUID {
	return &shared.UUID{Value: &shared.UUID_Structured_{Structured: &shared.UUID_Structured{
		MostSignificantBits: int64(binary.BigEndian.Uint64(id[:8])), LeastSignificantBits: int64(binary.BigEndian.Uint64(id[8:])),
	}}}
}

// fromUUID reads both forms; what is none is the zero id.
func fromUUID(u *shared.UUID) (id uuid.UUID) {
	if s := u.GetStructured(); s != nil {
		binary.BigEndian.PutUint64(id[:8], uint64(s.GetMostSignificantBits()))
		binary.BigEndian.PutUint64(id[8:], uint64(s.GetLeastSignificantBits()))
		return id
	}
	id, err := uuid.Parse(u.GetString_())
	if err != nil {
		return uuid.Nil
	}
	return id
}
