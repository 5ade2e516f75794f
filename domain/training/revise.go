package training

import (
	"bytes"
	"slices"

	"strata/domain"
)

// Revise changes a training; what is nil stays. Another architecture,
// configuration or connector begins it anew, whatever it was doing.
type Revise struct {
	Name          *string
	BenchmarkIDs  *[]string
	Architecture  *string
	Configuration domain.Doc // replaces the one there is
	Source        *Source    // replaces the one of the same connector, or all of them
}

// Decide implements domain.Decider.
func (c Revise) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if err := s.there(); err != nil {
		return nil, err
	}
	var f domain.Faults
	var facts []domain.Fact
	if c.Name != nil {
		f.Add(*c.Name == "", "name", "must not be empty")
		if *c.Name != s.Name {
			facts = append(facts, Renamed{Name: *c.Name})
		}
	}
	if c.BenchmarkIDs != nil {
		checkBenchmarks(*c.BenchmarkIDs, &f)
		if !slices.Equal(*c.BenchmarkIDs, s.BenchmarkIDs) {
			facts = append(facts, BenchmarksChosen{BenchmarkIDs: *c.BenchmarkIDs})
		}
	}
	work := Restarted{Attempt: s.Attempt + 1, Architecture: s.Architecture, Configuration: s.Configuration, Sources: s.Sources}
	if c.Architecture != nil {
		work.Architecture = *c.Architecture
	}
	if c.Configuration != nil {
		work.Configuration = c.Configuration
	}
	if c.Source != nil {
		work.Sources = replaced(s.Sources, *c.Source)
	}
	if work.Architecture != s.Architecture || !sameDoc(work.Configuration, s.Configuration) || !slices.EqualFunc(work.Sources, s.Sources, Source.equal) {
		checkWork(work.Architecture, work.Configuration, work.Sources, &f)
		facts = append(facts, work)
	}
	return facts, f.Err()
}

// replaced puts one source in the place of that of the same connector, or, when
// there is none, of all.
func replaced(sources []Source, with Source) []Source {
	i := slices.IndexFunc(sources, func(s Source) bool { return s.ConnectorID == with.ConnectorID })
	if i < 0 {
		return []Source{with}
	}
	out := slices.Clone(sources)
	out[i] = with
	return out
}

func sameDoc(a, b domain.Doc) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, ok := b[k]; !ok || !bytes.Equal(v, w) {
			return false
		}
	}
	return true
}
