package relay_test

import (
	"fmt"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"strata/domain"
	"strata/streams/relay"
)

// nowhere acknowledges everything and tells when so many have come.
type nowhere struct {
	left int
	done chan struct{}
}

func (n *nowhere) Publish(_ string, messages ...*message.Message) error {
	if n.left -= len(messages); n.left == 0 {
		close(n.done)
	}
	return nil
}

func (*nowhere) Close() error { return nil }

// BenchmarkRelay is what the relay itself costs an event.
func BenchmarkRelay(b *testing.B) {
	log, codec := openLog(b), newCodec(b, nil)
	const most = 1000
	for left := b.N; left > 0; left -= most {
		var facts []domain.Fact
		for range min(left, most) {
			facts = append(facts, noted{N: left, Pass: "a text of some length, as facts have them"})
		}
		write(b, log, codec, domain.Stream("note", fmt.Sprint(left)), facts...)
	}
	to := &nowhere{left: b.N, done: make(chan struct{})}
	b.ReportAllocs()
	b.ResetTimer()
	_, stop := start(b, relay.Config{Store: log, Codec: codec, Publisher: to, Categories: []string{"note"}, Sole: true})
	<-to.done
	b.StopTimer()
	stop()
}
