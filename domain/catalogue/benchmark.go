package catalogue

import (
	"fmt"
	"slices"

	"strata/domain"
)

// Benchmark is data with known answers that checkpoints are scored on.
type Benchmark struct {
	domain.Base
	Name        string              `json:"name" required:"true" minLength:"1" maxLength:"200" doc:"Name." example:"Churn, last quarter"`
	Description string              `json:"description" required:"true" maxLength:"2000" doc:"What it measures." example:"Clients of the last quarter, not seen by trainings"`
	Task        string              `json:"task" required:"true" minLength:"1" maxLength:"200" doc:"What a model has to do with the data." example:"binary_classification"`
	Metrics     []string            `json:"metrics" required:"true" minItems:"1" enum:"accuracy,f1,precision,recall,roc_auc,log_loss,ks,gini" doc:"What is measured." example:"[\"accuracy\",\"roc_auc\"]"`
	Connectors  []ConnectorTraining `json:"connectors" required:"true" minItems:"1" maxItems:"50" doc:"Where its data is."`
	Connector   string              `json:"connector,omitempty" access:"uw" maxLength:"200" doc:"Short for connectors: this one only, with the settings it has, or else with the target and features of the first. Not together with connectors."`
}

// ConnectorTraining says what is read through a connector: for benchmarks and
// for trainings.
type ConnectorTraining struct {
	ConnectorID string   `json:"connector_id" required:"true" minLength:"1" maxLength:"200" doc:"The connector."`
	Files       []string `json:"files,omitempty" maxItems:"1000" doc:"Keys of the files to read; all that can be read when empty."`
	Target      string   `json:"target,omitempty" maxLength:"500" doc:"Column that holds the known answer." example:"churned"`
	Features    []string `json:"features,omitempty" maxItems:"10000" doc:"Columns to look at; all but the target when empty."`
}

// Metrics lists what evaluations measure.
func Metrics() []string {
	return []string{"accuracy", "f1", "precision", "recall", "roc_auc", "log_loss", "ks", "gini"}
}

// Benchmarks is the kind of [Benchmark].
var Benchmarks = &domain.Kind[Benchmark]{
	KindSpec: domain.KindSpec{
		Name: "benchmark", Plural: "benchmarks", Prefix: "bmk", Tag: "Trainings",
		Doc:    "A benchmark: data with known answers that checkpoints are scored on.",
		Search: []string{"name", "description"}, Filters: []string{"task", "metrics"}, Sorts: []string{"name"},
		Routes: []domain.KindRoute{{Mount: "api", Path: "/benchmarks"}, {Mount: "v1", Path: "/benchmarks", Page: "pages", PageSize: 10}},
	},
	Check: func(b *Benchmark, f *domain.Faults) {
		f.Add(len(b.Metrics) == 0, "metrics", "needs at least one")
		f.Add(len(b.Connectors) == 0, "connectors", "needs at least one")
		for i, m := range b.Metrics {
			f.Add(!slices.Contains(Metrics(), m), fmt.Sprintf("metrics[%d]", i), "must be one of %v", Metrics())
			f.Add(slices.Contains(b.Metrics[:i], m), fmt.Sprintf("metrics[%d]", i), "is there twice")
		}
	},
	Expand: expandConnector,
	Example: Benchmark{
		Name: "Churn, last quarter", Description: "Clients of the last quarter, not seen by trainings", Task: "binary_classification",
		Metrics:    []string{"accuracy", "roc_auc"},
		Connectors: []ConnectorTraining{{ConnectorID: "con_01jk2m3n4p5q6r7s8t9v0w1x2y", Files: []string{"churn/q4.csv"}, Target: "churned"}},
	},
}

// expandConnector turns the single connector of an update into the list of
// connectors. Of another connector the files are not known; what its columns
// mean is taken to stay.
func expandConnector(now, patch domain.Doc) (domain.Doc, error) {
	if _, given := patch["connector"]; !given {
		return patch, nil
	}
	id := patch.String("connector")
	_, both := patch["connectors"]
	var f domain.Faults
	f.Add(id == "", "connector", "must name a connector")
	f.Add(both, "connector", "goes without connectors")
	if err := f.Err(); err != nil {
		return nil, err
	}
	before, err := domain.Decode[Benchmark](now)
	if err != nil {
		return nil, err
	}
	one := ConnectorTraining{ConnectorID: id}
	if len(before.Connectors) > 0 {
		one.Target, one.Features = before.Connectors[0].Target, before.Connectors[0].Features
	}
	if i := slices.IndexFunc(before.Connectors, func(c ConnectorTraining) bool { return c.ConnectorID == id }); i >= 0 {
		one = before.Connectors[i]
	}
	only, err := domain.DocOf(struct {
		Connectors []ConnectorTraining `json:"connectors"`
	}{[]ConnectorTraining{one}})
	if err != nil {
		return nil, err
	}
	out := patch.Merge(only)
	delete(out, "connector")
	return out, nil
}
