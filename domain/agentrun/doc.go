// Package agentrun is the run of an agent: a stream of steps, each a call of the
// model or of a tool, until the model has an answer. Everything a step needs is in
// the state, so a run goes on in another process where one has left off, and
// another run can be forked from any of its steps.
//
// The state says what is next ([State.Plan]); the commands record what came of it.
// Steps are numbered from 1. The model is called; the tools it asks for are called
// side by side; what they answer, failures included, goes to the model, which is
// called again. An answer without calls ends the run, if it keeps the agent's
// output schema; when it does not, the model is told what is wrong, once.
package agentrun
