package workflows

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"strata/domain"
	"strata/domain/workflowrun"
	"strata/projections"
	"strata/projections/fold"
)

// change is what an event says of a step. Empty fields leave what there is.
type change struct {
	step, status         string
	attempt              int
	input, output, error string
	awaits, child        string
	until                int64
	usage                workflowrun.Usage
	cost                 domain.Money
	ends                 bool // the step is over
}

// step keeps what an event says of the run's steps.
func (r *row) step(ctx context.Context, tx projections.Tx, e domain.Event) error {
	switch f := e.Fact.(type) {
	case workflowrun.Started:
		for _, node := range slices.Sorted(maps.Keys(f.Carried)) {
			if err := r.put(ctx, tx, e, change{step: node, status: "completed", output: string(f.Carried[node].Output), ends: true}); err != nil {
				return err
			}
		}
	case workflowrun.StepBegan:
		return r.put(ctx, tx, e, change{step: f.Step, status: "running", attempt: f.Attempt})
	case workflowrun.StepOpened:
		return r.put(ctx, tx, e, change{step: f.Step, status: "running", attempt: f.Attempt, input: string(f.Input), awaits: string(f.Awaits), child: f.Child,
			until: fold.Micros(f.Until)})
	case workflowrun.StepEnded:
		return r.put(ctx, tx, e, change{step: f.Step, status: "completed", attempt: f.Attempt, input: string(f.Input), output: string(f.Output),
			usage: f.Usage, cost: f.Cost, ends: true})
	case workflowrun.StepFailed:
		return r.failed(ctx, tx, e, f)
	case workflowrun.ChildEnded:
		if r.state.End != "" { // it was ended with the run, and so was the step
			return r.pay(ctx, tx, f)
		}
		return r.put(ctx, tx, e, change{step: f.Step, status: "running", usage: f.Usage, cost: f.Cost})
	case workflowrun.Completed:
		for _, node := range f.Skipped {
			if err := r.put(ctx, tx, e, change{step: node, status: "skipped", ends: true}); err != nil {
				return err
			}
		}
	case workflowrun.Failed, workflowrun.Cancelled:
		return r.stop(ctx, tx, e)
	case domain.Erased:
		_, err := tx.Exec(ctx, `DELETE FROM workflow_steps WHERE run = ?`, r.id)
		return err
	}
	return nil
}

func (r *row) failed(ctx context.Context, tx projections.Tx, e domain.Event, f workflowrun.StepFailed) error {
	why, err := json.Marshal(f.Error)
	if err != nil {
		return err
	}
	c := change{step: f.Step, status: "failed", attempt: f.Attempt, input: string(f.Input), output: string(f.Output), error: string(why), ends: true}
	if !f.RetryAt.IsZero() {
		c.status, c.ends, c.until = "queued", false, fold.Micros(f.RetryAt)
	}
	return r.put(ctx, tx, e, c)
}

// stop ends the steps that a run had not ended when it was over.
func (r *row) stop(ctx context.Context, tx projections.Tx, e domain.Event) error {
	why, err := json.Marshal(workflowrun.Failure{Code: "CANCELLED", Message: "the run was over before the step"})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE workflow_steps SET status = 'failed', error = ?, finished_at = ? WHERE run = ? AND status IN ('running', 'queued')`,
		string(why), fold.Micros(e.Meta.OccurredAt), r.id)
	return err
}

// pay adds what a run has cost to the step that waited for it.
func (r *row) pay(ctx context.Context, tx projections.Tx, f workflowrun.ChildEnded) error {
	_, err := tx.Exec(ctx, `UPDATE workflow_steps SET prompt_tokens = prompt_tokens + ?, completion_tokens = completion_tokens + ?, cost = cost + ? WHERE run = ? AND step = ?`,
		f.Usage.Prompt, f.Usage.Completion, int64(f.Cost), r.id, f.Step)
	return err
}

// put writes what is known of a step. A retry begins anew, but for what it has
// cost so far.
func (r *row) put(ctx context.Context, tx projections.Tx, e domain.Event, c change) error {
	id, item := workflowrun.NodeOf(c.step)
	kind := ""
	if node := r.state.Graph().Node(id); node != nil {
		kind = string(node.Type)
		if body := node.Body(); item >= 0 && body != nil {
			kind = string(body.Type)
		}
	}
	at := fold.Micros(e.Meta.OccurredAt)
	var finished int64
	if c.ends {
		finished = at
	}
	_, err := tx.Exec(ctx, `INSERT INTO workflow_steps (run, step, node, type, status, attempt, input, output, error, awaits, until, child,
	prompt_tokens, completion_tokens, cost, started_at, finished_at, sequence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run, step) DO UPDATE SET status = excluded.status, attempt = max(attempt, excluded.attempt),
	input = CASE WHEN excluded.input <> '' THEN excluded.input ELSE input END, output = excluded.output, error = excluded.error,
	awaits = CASE WHEN excluded.awaits <> '' THEN excluded.awaits ELSE awaits END,
	until = CASE WHEN excluded.until <> 0 THEN excluded.until ELSE until END,
	child = CASE WHEN excluded.child <> '' THEN excluded.child ELSE child END,
	prompt_tokens = prompt_tokens + excluded.prompt_tokens, completion_tokens = completion_tokens + excluded.completion_tokens,
	cost = cost + excluded.cost, started_at = CASE WHEN excluded.attempt > attempt THEN excluded.started_at ELSE started_at END,
	finished_at = excluded.finished_at`,
		r.id, c.step, id, kind, c.status, c.attempt, c.input, c.output, c.error, c.awaits, c.until, c.child,
		c.usage.Prompt, c.usage.Completion, int64(c.cost), at, finished, int64(e.Position))
	return err
}
