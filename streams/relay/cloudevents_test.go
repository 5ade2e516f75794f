package relay_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/binding/spec"

	"strata/streams/relay"
)

// kafkaMessage reads headers and value as the SDK's own Kafka protocols do; those
// bring a Kafka client each.
type kafkaMessage struct{ *message.Message }

func version(m kafkaMessage) spec.Version {
	return spec.WithPrefix("ce_").Version(m.Metadata["ce_specversion"])
}

func (kafkaMessage) ReadEncoding() binding.Encoding { return binding.EncodingBinary }

func (kafkaMessage) ReadStructured(context.Context, binding.StructuredWriter) error {
	return binding.ErrNotStructured
}

func (m kafkaMessage) ReadBinary(_ context.Context, w binding.BinaryWriter) error {
	v := version(m)
	for name, value := range m.Metadata {
		var err error
		if attribute := v.Attribute(name); attribute != nil {
			err = w.SetAttribute(attribute, value)
		} else if extension, ok := strings.CutPrefix(name, "ce_"); ok {
			err = w.SetExtension(extension, value)
		} else if name == "content-type" {
			err = w.SetAttribute(v.AttributeFromKind(spec.DataContentType), value)
		}
		if err != nil {
			return err
		}
	}
	if m.Payload == nil {
		return nil
	}
	return w.SetData(bytes.NewReader(m.Payload))
}

func (m kafkaMessage) GetAttribute(k spec.Kind) (spec.Attribute, any) {
	a := version(m).AttributeFromKind(k)
	return a, m.Metadata[a.PrefixedName()]
}

func (m kafkaMessage) GetExtension(name string) any { return m.Metadata["ce_"+name] }

// Others read what is published with the CloudEvents SDK.
func TestTheCloudEventsSDKReadsIt(t *testing.T) {
	log, out, codec := openLog(t), newTopics(), newCodec(t, &keys{})
	write(t, log, codec, "talk-1", called{Cost: 1}, called{Cost: 2, words: words{"hello"}}, said{Text: "hello", Who: "alice"})
	start(t, relay.Config{Store: log, Codec: codec, Publisher: out, Categories: []string{"talk"}, Source: "https://strata.example/eu"})
	for i, m := range out.wait(t, "strata.talk", 3) {
		e, err := binding.ToEvent(t.Context(), kafkaMessage{m})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", m.UUID, err)
		}
		extensions := e.Extensions()
		if e.SpecVersion() != "1.0" || e.ID() != m.UUID || e.Source() != "https://strata.example/eu" || e.Subject() != "talk-1" ||
			!e.Time().Equal(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)) || extensions["position"] != "123"[i:i+1] ||
			extensions["workspace"] != "ws_1" || extensions["organization"] != "org_1" || extensions["correlationid"] != "req_1" || extensions["partitionkey"] != "talk-1" {
			t.Errorf("read as %s", e)
		}
		want := []string{`{"cost":1}`, `{"cost":2}`, ``}[i]
		if string(e.Data()) != want || (e.DataContentType() == "application/json") != (want != "") {
			t.Errorf("data %q of type %q, not %q", e.Data(), e.DataContentType(), want)
		}
		if removed, _ := extensions["dataremoved"].(string); (removed == "personal") != (i > 0) {
			t.Errorf("removed: %q", removed)
		}
	}
}
