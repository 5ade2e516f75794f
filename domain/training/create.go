package training

import (
	"fmt"
	"slices"

	"strata/domain"
)

// Create begins a training.
type Create struct {
	Name          string
	Architecture  string
	DataModelID   string
	GPUCount      int
	BenchmarkIDs  []string
	Configuration domain.Doc
	Sources       []Source
}

// Decide implements domain.Decider.
func (c Create) Decide(_ domain.Env, s *State) ([]domain.Fact, error) {
	if s.Status != "" {
		return nil, domain.Errorf(domain.CodeConflict, "training %q exists already", s.ID)
	}
	if err := c.Check(); err != nil {
		return nil, err
	}
	return []domain.Fact{Created(c)}, nil
}

// Check names every fault of the command that shows without any state.
func (c Create) Check() error {
	var f domain.Faults
	f.Add(c.Name == "", "name", "must be given")
	f.Add(c.DataModelID == "", "data_model_id", "must be given")
	f.Add(c.GPUCount < 0, "gpu_count", "must be 0 or more")
	checkBenchmarks(c.BenchmarkIDs, &f)
	checkWork(c.Architecture, c.Configuration, c.Sources, &f)
	return f.Err()
}

func checkBenchmarks(ids []string, f *domain.Faults) {
	for i, id := range ids {
		f.Add(id == "", fmt.Sprintf("benchmark_ids[%d]", i), "must name a benchmark")
		f.Add(slices.Contains(ids[:i], id), fmt.Sprintf("benchmark_ids[%d]", i), "is there twice")
	}
}

// checkWork checks what is to be trained. What other architectures need only a
// cluster can tell.
func checkWork(architecture string, configuration domain.Doc, sources []Source, f *domain.Faults) {
	f.Add(architecture == "", "architecture", "must be given")
	f.Add(configuration == nil, "configuration", "must be given")
	f.Add(len(sources) == 0, "connectors", "needs at least one")
	for i, src := range sources {
		f.Add(src.ConnectorID == "", fmt.Sprintf("connectors[%d].connector_id", i), "must name a connector")
		f.Add(slices.Contains(src.Files, ""), fmt.Sprintf("connectors[%d].files", i), "cannot hold an empty key")
	}
	if !IsBuiltIn(architecture) || configuration == nil {
		return
	}
	if _, err := SettingsOf(architecture, configuration, sources); err != nil {
		f.Take(err)
	}
}
