package embedded_test

import (
	"testing"

	"go.uber.org/goleak"

	"strata/streams"
	"strata/streams/embedded"
	"strata/streams/streamstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// factory opens logs in temporary directories and remembers where they are.
type factory struct {
	opts embedded.Options
	dirs map[streams.Store]string
}

func newFactory(opts embedded.Options) *factory {
	return &factory{opts: opts, dirs: map[streams.Store]string{}}
}

func (f *factory) Open(t *testing.T) streams.Store { return f.open(t, t.TempDir()) }

func (f *factory) open(t *testing.T, dir string) streams.Store {
	t.Helper()
	l, err := embedded.Open(dir, f.opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	f.dirs[l] = dir
	return l
}

func (f *factory) Reopen(t *testing.T, s streams.Store) streams.Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return f.open(t, f.dirs[s])
}

func (f *factory) Scavenge(t *testing.T, s streams.Store) { scavenge(t, s.(*embedded.Log)) }

func TestConformance(t *testing.T) {
	for name, opts := range map[string]embedded.Options{
		"one segment":   {SegmentSize: 4 << 20, RepeatWindow: 10_000, NoSync: true},
		"tiny segments": {SegmentSize: 4 << 10, HeadCache: 64, RepeatWindow: 10_000, NoSync: true},
	} {
		t.Run(name, func(t *testing.T) { streamstest.Run(t, newFactory(opts)) })
	}
}
