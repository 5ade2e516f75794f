package embedded_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"strata/domain"
	"strata/streams"
	"strata/streams/embedded"
)

func Example() {
	dir, err := os.MkdirTemp("", "strata-log")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	events, err := embedded.Open(dir, embedded.Options{SegmentSize: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	defer events.Close()

	ctx := context.Background()
	stream := domain.Stream("session", "ses_1")
	created := streams.Proposed{ID: domain.NewEventID(), Type: "session.created.v1", Data: []byte(`{"agent":"a"}`)}
	for range 2 { // the second time is a retry, as after a lost answer
		r, err := events.Append(ctx, stream, streams.NoStream, created)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("revision %d, position %d, repeated %v\n", r.Revision, r.Position, r.Repeated)
	}
	for e, err := range events.ReadStream(ctx, stream, streams.ReadStream{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s\n", e.Type, e.Data)
	}
	// Output:
	// revision 0, position 1, repeated false
	// revision 0, position 1, repeated true
	// session.created.v1 {"agent":"a"}
}
