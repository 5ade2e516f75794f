package main

import (
	"strata/commands/knowledge"
	"strata/commands/steps"
)

// newExecutor makes what performs runs, with every kind of them.
func (a *app) newExecutor(documents *knowledge.Processor) *steps.Executor {
	e := steps.New(steps.Config{Handler: a.handler, Logger: a.log, At: a.at})
	a.performAgents(e)
	steps.Add(e, documents.Machine())
	steps.Add(e, a.workflows.Machine(a.openRuns))
	return e
}
