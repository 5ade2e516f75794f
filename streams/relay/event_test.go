package relay_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams"
	"strata/streams/relay"
)

func TestMessages(t *testing.T) {
	all := []string{"talk"}
	for _, c := range []struct {
		name     string
		fact     domain.Fact
		personal []string
		gone     bool // the person was erased
		removed  relay.Removed
		data     string
	}{
		{name: "plain", fact: noted{N: 1}, data: `{"n":1}`},
		{name: "secret", fact: noted{N: 1, Pass: "hunter2"}, data: `{"n":1}`},
		{name: "large without its secret", fact: noted{N: 1, Pass: strings.Repeat("x", 300)}, data: `{"n":1}`},
		{name: "large", fact: said{Text: strings.Repeat("x", 300)}, removed: "size"},
		{name: "personal", fact: said{Text: "hello", Who: "alice"}, removed: "personal"},
		{name: "of nobody", fact: said{Text: "hello"}, data: `{"text":"hello"}`},
		{name: "allowed", personal: all, fact: said{Text: "hello", Who: "alice"}, data: `{"text":"hello","who":"alice"}`},
		{name: "erased", personal: all, gone: true, fact: said{Text: "hello", Who: "alice"}, removed: "erased"},
		{name: "partly", fact: called{Cost: 2, words: words{"hello"}}, removed: "personal", data: `{"cost":2}`},
		{name: "partly nothing", fact: called{Cost: 2}, data: `{"cost":2}`},
		{name: "partly allowed", personal: all, fact: called{Cost: 2, words: words{"hello"}}, data: `{"cost":2,"text":"hello"}`},
		{name: "partly erased", personal: all, gone: true, fact: called{Cost: 2, words: words{"hello"}}, removed: "erased", data: `{"cost":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, out, k := openLog(t), newTopics(), &keys{}
			codec := newCodec(t, k)
			category, _, _ := strings.Cut(c.fact.EventType(), ".")
			stream := category + "-1"
			write(t, log, codec, domain.StreamID(stream), c.fact)
			k.gone = c.gone
			start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note", "talk"}, Personal: c.personal, MaxData: 200,
				Secrets: func(category string) []string { return map[string][]string{"note": {"pass"}}[category] }})
			m := out.wait(t, "strata."+category, 1)[0]
			want := message.Metadata{"ce_specversion": "1.0", "ce_id": m.UUID, "ce_source": "strata", "ce_type": c.fact.EventType(), "ce_time": "2026-01-02T03:04:05Z",
				"ce_subject": stream, "ce_partitionkey": stream, "ce_revision": "0", "ce_position": "1",
				"ce_organization": "org_1", "ce_workspace": "ws_1", "ce_correlationid": "req_1"}
			if c.data != "" {
				want["content-type"] = "application/json"
			}
			if c.removed != "" {
				want["ce_dataremoved"] = string(c.removed)
			}
			if !maps.Equal(m.Metadata, want) || string(m.Payload) != c.data || string(relay.Key(m)) != stream {
				t.Errorf("key %s\ngot  %v %s\nwant %v %s", relay.Key(m), m.Metadata, m.Payload, want, c.data)
			}
		})
	}
}

func TestOldVersionsAreLifted(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, nil)
	old := streams.Proposed{ID: domain.NewEventID(), Type: "note.noted.v1", Data: []byte(`{"number":3}`), Meta: []byte(`{}`)}
	if _, err := log.Append(t.Context(), "note-1", streams.NoStream, old); err != nil {
		t.Fatal(err)
	}
	start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"note"}, TopicPrefix: "x.", Source: "urn:a"})
	m := out.wait(t, "x.note", 1)[0]
	if m.Metadata[relay.HeaderType] != "note.noted.v2" || string(m.Payload) != `{"n":3}` || m.Metadata[relay.HeaderSource] != "urn:a" {
		t.Errorf("got %v %s", m.Metadata, m.Payload)
	}
	if _, said := m.Metadata[relay.HeaderWorkspace]; said || m.Metadata[relay.HeaderTime] == "" {
		t.Errorf("got %v", m.Metadata)
	}
}
