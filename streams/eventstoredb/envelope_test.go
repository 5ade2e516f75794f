package eventstoredb

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func TestWrap(t *testing.T) {
	for _, test := range []struct{ workspace, meta, sent string }{
		{"", "", ""},
		{"", `{"a":1}`, `{"a":1}`},
		{"ws", `{"actor":"x","workspace":"ws","n":{"workspace":"no"}}`, `{"actor":"x","workspace":"ws","n":{"workspace":"no"}}`},
		{"ws", `{"a":1}`, `{"$workspace":"ws","a":1}`},
		{"ws", `{ }`, `{"$workspace":"ws" }`},
		{"", `{"workspace":"ws"}`, `{"$workspace":"","workspace":"ws"}`},
		{"ws", "", `{"$workspace":"ws","$meta":""}`},
		{"", "[1]", `{"$workspace":"","$meta":"WzFd"}`},
		{"a", `{"$workspace":"b"}`, `{"$workspace":"a","$meta":"eyIkd29ya3NwYWNlIjoiYiJ9"}`},
		{"a", `{"$meta":"b"}`, `{"$workspace":"a","$meta":"eyIkbWV0YSI6ImIifQ=="}`},
	} {
		sent := wrap(test.workspace, []byte(test.meta))
		if string(sent) != test.sent {
			t.Errorf("%q of %q is sent as %s, want %s", test.meta, test.workspace, sent, test.sent)
		}
		if workspace, meta := unwrap(sent); workspace != test.workspace || string(meta) != test.meta {
			t.Errorf("%s is read as %q of %q", sent, meta, workspace)
		}
	}
}

// Whatever is written is read, and what is sent is JSON, so that any client can
// read it.
func TestWrapAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		workspace := rapid.OneOf(rapid.Just(""), rapid.Just("ws_1"), rapid.String()).Draw(t, "workspace")
		meta := rapid.OneOf(
			rapid.SliceOf(rapid.Byte()),
			rapid.SampledFrom([][]byte{nil, []byte("{}"), []byte(" {}"), []byte(`{"workspace":"ws_1"}`), []byte(`{"workspace":1}`),
				[]byte(`{"workspace":"a","workspace":"ws_1"}`), []byte(`{"$workspace":"x","$meta":"y"}`), []byte(`{"$workspace":3}`), []byte(`{"w":"\"workspace\":\"no\""}`)}),
			rapid.Map(rapid.MapOf(rapid.String(), rapid.String()), func(m map[string]string) []byte {
				b, _ := json.Marshal(m)
				return b
			}),
		).Draw(t, "meta")
		sent := wrap(workspace, meta)
		if len(sent) > 0 && !json.Valid(sent) {
			t.Fatalf("sent as %q, which is no JSON", sent)
		}
		if w, m := unwrap(sent); w != workspace || !bytes.Equal(m, meta) {
			t.Fatalf("sent as %q, read as %q of %q", sent, m, w)
		}
	})
}

// What others wrote can be anything, and is told as they wrote it.
func FuzzUnwrap(f *testing.F) {
	for _, s := range []string{"", "{", `{"workspace":"w"}`, `{"$workspace":"w"`, `{"$workspace":"w","$meta":"!"}`, `{"a":[{"b":"}"}],"workspace":"\u0077"}`, "\x00\x01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		workspace, meta := unwrap(sent)
		if bytes.HasPrefix(sent, []byte(workspaceMark)) {
			return
		}
		if !bytes.Equal(meta, sent) {
			t.Errorf("%q is read as %q", sent, meta)
		}
		var object map[string]any
		if json.Unmarshal(sent, &object) != nil {
			return
		}
		// encoding/json takes any case for a struct, a map takes each name as it is.
		if want, _ := object["workspace"].(string); workspace != want && !escapedName(sent) {
			t.Errorf("%q is of workspace %q, want %q", sent, workspace, want)
		}
	})
}

// escapedName tells whether a name may be spelled with escapes, which nobody does.
func escapedName(sent []byte) bool {
	return bytes.ContainsAny(sent, `\`) || !bytes.Equal(bytes.ToValidUTF8(sent, nil), sent)
}

func BenchmarkUnwrap(b *testing.B) {
	meta := []byte(`{"correlation_id":"req_01","actor":"key_1","organization":"org_1","workspace":"ws_1","occurred_at":"2026-01-02T03:04:05.123456Z","request_id":"req_01"}`)
	for b.Loop() {
		unwrap(meta)
	}
}

func TestIDs(t *testing.T) {
	id := uuid.MustParse("0192f0a4-5b6c-7d8e-9fa0-b1c2d3e4f506")
	for _, u := range []*shared.UUID{toUUID(id), {Value: &shared.UUID_String_{String_: id.String()}}} {
		if got := fromUUID(u); got != id {
			t.Errorf("%v is read as %s", u, got)
		}
	}
	if got := fromUUID(&shared.UUID{Value: &shared.UUID_String_{String_: "x"}}); got != uuid.Nil {
		t.Errorf("no id is read as %s", got)
	}
}
