package eventstoredb_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"strata/internal/eventstore/eventstoretest"
	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/eventstoredb"
	"strata/streams/streamstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// factory opens stores of one server.
type factory struct {
	server *eventstoretest.Server
	opts   eventstoredb.Options
	singly bool
}

func (f factory) Open(t *testing.T) streams.Store {
	t.Helper()
	s := open(t, f.server.URL(), f.opts)
	if f.singly {
		if err := eventstoredb.AppendSingly(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func open(t *testing.T, url string, opts eventstoredb.Options) *eventstoredb.Store {
	t.Helper()
	s, err := eventstoredb.Open(url, opts)
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

// Scavenge has the server remove what streams hide.
func (f factory) Scavenge(t *testing.T, _ streams.Store) {
	t.Helper()
	if _, err := f.server.Log().Scavenge(t.Context(), embedded.ScavengeOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	for name, f := range map[string]factory{
		"as it comes": {},
		// What a server without batches, and readers that are always behind, make of it.
		"single appends, short memory": {opts: eventstoredb.Options{KeptEvents: 3}, singly: true},
		// EventStoreDB's own positions are offsets in its files, and its deletions drop metadata.
		"positions with gaps": {opts: eventstoredb.Dialing(eventstoredb.Options{}, append(sparse(), forgetful())...)},
	} {
		t.Run(name, func(t *testing.T) {
			fewHistories(t, "3")
			// Small segments, so that there is something to scavenge.
			f.server = eventstoretest.Start(t, eventstoretest.WithLog(func(o *embedded.Options) { o.SegmentSize = 64 << 10 }))
			streamstest.Run(t, f)
		})
	}
}

// fewHistories bounds the random histories: every step of one is a dozen calls
// over the network.
func fewHistories(t *testing.T, n string) {
	checks := flag.Lookup("rapid.checks").Value
	before := checks.String()
	if before != flag.Lookup("rapid.checks").DefValue {
		return // somebody asks for a number
	}
	if err := checks.Set(n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := checks.Set(before); err != nil {
			t.Error(err)
		}
	})
}
