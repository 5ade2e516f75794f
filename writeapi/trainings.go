package writeapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"strata/commands"
	"strata/commands/trainer"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/connector"
	"strata/domain/training"
	"strata/internal/httpx"
	"strata/internal/view"
)

type createTraining struct {
	Body struct {
		Name          string                        `json:"name" required:"true" minLength:"1" maxLength:"200" example:"Churn"`
		Architecture  string                        `json:"architecture" required:"true" minLength:"1" maxLength:"200" doc:"logistic_regression or gradient_boosted_trees for the built-in trainer; any other needs a cluster that knows it." example:"gradient_boosted_trees"`
		DataModelID   string                        `json:"data_model_id" required:"true" minLength:"1" maxLength:"200" doc:"The data model that it is a model of."`
		GPUCount      int                           `json:"gpu_count" required:"true" minimum:"0" maximum:"100000" doc:"What a cluster should give it; the built-in trainer takes none." example:"0"`
		BenchmarkIDs  []string                      `json:"benchmark_ids" maxItems:"100" doc:"What its final checkpoint is evaluated on."`
		Configuration domain.Doc                    `json:"configuration" required:"true" doc:"How it is trained. Of the built-in trainer: target, features, categorical, positive, epochs, checkpoint_every, learning_rate, l2, validation_split, seed; batch_size of logistic regression; task, max_depth, max_bins, min_leaf_weight, subsample, min_split_loss of trees." example:"{\"epochs\":50,\"learning_rate\":0.1}"`
		Connectors    []catalogue.ConnectorTraining `json:"connectors" required:"true" minItems:"1" maxItems:"50" doc:"Where its data is: parts of one table."`
	}
}

type updateTraining struct {
	ID   string `path:"id"`
	Body struct {
		Name          *string                      `json:"name" minLength:"1" maxLength:"200" example:"Churn, weekly"`
		Architecture  *string                      `json:"architecture" minLength:"1" maxLength:"200"`
		BenchmarkIDs  *[]string                    `json:"benchmark_ids" maxItems:"100"`
		Configuration domain.Doc                   `json:"configuration" doc:"Takes the place of the whole configuration."`
		Connector     *catalogue.ConnectorTraining `json:"connector" doc:"Takes the place of the one with the same connector_id, or, when there is none, of all."`
	}
}

type trainingID struct {
	ID string `path:"id"`
}

type createEvaluation struct {
	Body struct {
		BenchmarkID  string `json:"benchmark_id" required:"true" minLength:"1" maxLength:"200"`
		CheckpointID string `json:"checkpoint_id" required:"true" minLength:"1" maxLength:"200"`
		GPUCount     int    `json:"gpu_count" required:"true" minimum:"0" maximum:"100000" doc:"Recorded; the built-in evaluator takes none." example:"0"`
	}
}

// bothMounts are where trainings and what belongs to them are served, with what
// is added to the names of operations.
func bothMounts() map[string]*httpx.Mount {
	return map[string]*httpx.Mount{"": httpx.API, "V1": httpx.V1}
}

// trainings registers what can be done with trainings and evaluations.
func (a *API) trainings() {
	for suffix, mount := range bothMounts() {
		op := func(id, method, path, summary, verb string) httpx.Op {
			return httpx.Op{ID: id + "Training" + suffix, Method: method, Path: "/trainings" + path, Mount: mount, Tag: "Trainings", Summary: summary,
				Permission: "trainings:" + verb}
		}
		a.createTraining(op("create", http.MethodPost, "", "Create training", "create"))
		for _, method := range []string{http.MethodPut, http.MethodPatch} {
			a.updateTraining(op(verbOf(method), method, "/{id}", "Update training", "update"))
		}
		cancel := op("cancel", http.MethodPost, "/{id}/cancel", "Cancel training", "update")
		cancel.Description = "It stops at once; its checkpoints stay. One that has ended is not changed any more."
		command(a, operation[trainingID, training.State, view.Training]{Op: cancel, agg: training.Aggregate, view: showTraining, decide: onTraining(training.Cancel{})})
		remove := op("delete", http.MethodDelete, "/{id}", "Delete training", "delete")
		remove.Description = "Its checkpoints and their places on leaderboards go with it. One that has not ended is cancelled."
		if mount == httpx.V1 {
			command(a, operation[trainingID, training.State, view.DeletedID]{Op: remove, agg: training.Aggregate, decide: onTraining(training.Delete{}),
				view: func(l *commands.Loaded[training.State]) view.DeletedID { return view.DeletedID{ID: l.ID} }})
		} else {
			command(a, operation[trainingID, training.State, view.Deleted]{Op: remove, agg: training.Aggregate, decide: onTraining(training.Delete{}),
				view: func(l *commands.Loaded[training.State]) view.Deleted { return view.Deleted{ID: l.ID, Deleted: true} }})
		}
		a.createEvaluation(httpx.Op{ID: "createEvaluation" + suffix, Method: http.MethodPost, Path: "/evaluations", Mount: mount, Tag: "Trainings",
			Summary: "Create evaluation", Permission: "evaluations:create", Status: http.StatusCreated,
			Description: "Scores a checkpoint on the data of a benchmark. An evaluation that takes longer than a few seconds is answered with a pending result and goes on."})
	}
}

func (a *API) createTraining(op httpx.Op) {
	op.Status = http.StatusCreated
	op.Description = "It begins by itself. With a cluster registered in the workspace, the cluster trains; without one, the built-in trainer."
	httpx.Register(a.r, op, func(ctx context.Context, in *createTraining) (httpx.Reply[view.Training], error) {
		var none httpx.Reply[view.Training]
		b := in.Body
		cmd := training.Create{Name: b.Name, Architecture: b.Architecture, DataModelID: b.DataModelID, GPUCount: b.GPUCount,
			BenchmarkIDs: b.BenchmarkIDs, Configuration: b.Configuration}
		for _, c := range b.Connectors {
			cmd.Sources = append(cmd.Sources, training.Source(c))
		}
		req := request(ctx, op.Permission, "")
		req.Create, req.Route = true, op.ID
		var faults domain.Faults
		faults.Take(cmd.Check())
		if err := a.named(ctx, req.Principal, cmd.BenchmarkIDs, cmd.Sources, func(i int) string { return fmt.Sprintf("connectors[%d].connector_id", i) }, &faults); err != nil {
			return none, err
		}
		if err := a.known(ctx, req.Principal, catalogue.DataModels, cmd.DataModelID, "data_model_id", &faults); err != nil {
			return none, err
		}
		if err := faults.Err(); err != nil {
			return none, err
		}
		out, err := commands.Run(ctx, a.Handler, training.Aggregate, req, cmd, showTraining)
		return httpx.Reply[view.Training]{Body: out.View, Revision: &out.Revision, Position: out.Position}, err
	})
}

func (a *API) updateTraining(op httpx.Op) {
	op.Description = "What is absent stays as it is. Another architecture, configuration or connector begins the training anew, whatever it was doing; its checkpoints so far stay."
	httpx.Register(a.r, op, func(ctx context.Context, in *updateTraining) (httpx.Reply[view.Training], error) {
		var none httpx.Reply[view.Training]
		b := in.Body
		cmd := training.Revise{Name: b.Name, Architecture: b.Architecture, BenchmarkIDs: b.BenchmarkIDs, Configuration: b.Configuration, Source: (*training.Source)(b.Connector)}
		req := request(ctx, op.Permission, in.ID)
		var faults domain.Faults
		var benchmarks []string
		if b.BenchmarkIDs != nil {
			benchmarks = *b.BenchmarkIDs
		}
		var sources []training.Source
		if cmd.Source != nil {
			sources = []training.Source{*cmd.Source}
		}
		if err := a.named(ctx, req.Principal, benchmarks, sources, func(int) string { return "connector.connector_id" }, &faults); err != nil {
			return none, err
		}
		if err := faults.Err(); err != nil {
			return none, err
		}
		out, err := commands.Run(ctx, a.Handler, training.Aggregate, req, cmd, showTraining)
		return httpx.Reply[view.Training]{Body: out.View, Revision: &out.Revision, Position: out.Position}, err
	})
}

// named adds a fault for each benchmark and each connector that is not there.
// field says where the connector of an index is named.
func (a *API) named(ctx context.Context, p domain.Principal, benchmarks []string, sources []training.Source, field func(int) string, faults *domain.Faults) error {
	for i, id := range benchmarks {
		if err := a.known(ctx, p, catalogue.Benchmarks, id, fmt.Sprintf("benchmark_ids[%d]", i), faults); err != nil {
			return err
		}
	}
	for i, src := range sources {
		gone, err := commands.Load(ctx, a.Handler, connector.Aggregate, p, src.ConnectorID, func(l *commands.Loaded[connector.State]) bool { return l.State.Deleted })
		missing := gone || domain.CodeOf(err) == domain.CodeNotFound && err != nil
		faults.Add(src.ConnectorID != "" && missing, field(i), "names no connector of the workspace")
		if err != nil && !missing {
			return err
		}
	}
	return nil
}

// known adds a fault when a resource is not there.
func (a *API) known(ctx context.Context, p domain.Principal, kind domain.AnyKind, id, field string, faults *domain.Faults) error {
	if id == "" {
		return nil // which is another fault
	}
	_, err := a.Resources.Load(ctx, kind, p, id)
	missing := err != nil && domain.CodeOf(err) == domain.CodeNotFound
	faults.Add(missing, field, "names no %s of the workspace", kind.Spec().Name)
	if missing {
		return nil
	}
	return err
}

// evaluationPatience is how long an evaluation is waited for.
const evaluationPatience = 5 * time.Second

func (a *API) createEvaluation(op httpx.Op) {
	httpx.Register(a.r, op, func(ctx context.Context, in *createEvaluation) (httpx.Reply[view.Evaluation], error) {
		var none httpx.Reply[view.Evaluation]
		req := request(ctx, op.Permission, "")
		req.Route = op.ID
		asked, err := trainer.Evaluate(ctx, a.Handler, a.Resources, req, trainer.Wish{BenchmarkID: in.Body.BenchmarkID, CheckpointID: in.Body.CheckpointID, GPUCount: in.Body.GPUCount})
		if err != nil {
			return none, err
		}
		waiting, cancel := context.WithTimeout(ctx, evaluationPatience)
		defer cancel()
		seen, err := trainer.Await(waiting, a.Handler, req.Principal, asked.ID)
		if err != nil {
			return none, err
		}
		return httpx.Reply[view.Evaluation]{Body: view.EvaluationOf(&seen.State), Revision: &seen.Revision, Position: max(asked.Position, seen.Position)}, nil
	})
}

func onTraining(cmd domain.Decider[training.State]) func(*commands.Request, *trainingID) (domain.Decider[training.State], error) {
	return func(req *commands.Request, in *trainingID) (domain.Decider[training.State], error) {
		req.ID = in.ID
		return cmd, nil
	}
}

func showTraining(l *commands.Loaded[training.State]) view.Training { return view.TrainingOf(l.State) }
