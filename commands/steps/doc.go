// Package steps performs runs: work that outlives requests and processes, such
// as the run of a workflow or of an agent. A run is an aggregate like any other.
// Its stream of facts says what was begun, what came of it and what was decided,
// and its state says, purely, what is to be done next. The [Executor] does it.
//
// To have a kind of run performed:
//
//  1. Write its aggregate: facts for a step that began, that ended and that
//     failed, commands that record them, and whatever starts, cancels or resumes
//     a run. A command that begins a step refuses with CONFLICT unless the step
//     is to begin; one that ends a step names the attempt it ends and refuses with
//     CONFLICT when that has ended or is not the current one. That is the fence: of
//     two processes that both believe they perform a run, one is heard.
//  2. Write [Machine.Plan]: from the state to every step that ought to be running
//     now, the ones begun already included. What is begun and not known to have
//     ended is begun once more after a restart, with the same key for its side
//     effects (see [Key]): record that as a further execution of the same attempt.
//  3. Write [Machine.Perform]: the effects of one step, and the command that
//     records what came of them. It runs without any lock and may take long.
//  4. [Add] the machine to the executor, in cmd/strata, and let the read model
//     list runs that are open: after a start all of them are looked at.
//
// What is promised: a step is performed only after the log says that it began,
// by one goroutine of the installation at a time as far as time can tell; a run
// goes on after a crash between any two facts; a run that is cancelled has the
// contexts of its steps ended; runs of one workspace cannot keep those of another
// waiting for longer than a step takes. What is not: that an effect happens once.
// No program can promise that of the world. A step whose end is unknown is
// performed again with the key it had, and whoever receives the key decides.
//
// A run that waits, for a time or for a person, costs nothing but its row: short
// waits are kept in memory, longer ones are timers (see commands/timers).
package steps
