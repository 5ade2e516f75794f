// Package agents starts, steers and performs the runs of agents. The rules of a
// run are in domain/agentrun, its execution is that of commands/steps; here are
// the effects, the calls of models and tools, and the operations.
//
// A call of the model whose end is unknown after a crash is made again. A call of a
// tool that may change something is not: the model is told that nobody knows
// whether it took effect, and decides.
package agents
