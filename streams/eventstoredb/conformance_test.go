package eventstoredb_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
	"strata/streams/eventstoredb"
	"strata/streams/streamstest"
)

func TestMain(m *testing.M) {
	// Every step of a history is a dozen calls over the network: fewer histories
	// than rapid's hundred, unless -rapid.checks says otherwise.
	if err := flag.Set("rapid.checks", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// factory opens stores of one server.
type factory struct{ server *eventstoretest.Server }

func (f factory) Open(t *testing.T) streams.Store {
	t.Helper()
	s, err := eventstoredb.Open(f.server.URL(), eventstoredb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Reopen also starts the server anew.
func (f factory) Reopen(t *testing.T, s streams.Store) streams.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f.server.Restart()
	return f.Open(t)
}

func TestConformance(t *testing.T) {
	streamstest.Run(t, factory{eventstoretest.Start(t)})
}
