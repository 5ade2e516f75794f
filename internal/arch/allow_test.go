package arch

// The exceptions, each with its reason.

// longFiles are files over maxFileLines.
var longFiles = map[string]string{}

// longFunctions are functions over maxFunctionLines: "folder.name".
var longFunctions = map[string]string{}

// mutableVariables are package variables that change: "folder.name".
var mutableVariables = map[string]string{}

// sleepers are tests that sleep.
var sleepers = map[string]string{
	"gateway/openaiapi/bench_test.go":    "a provider that answers at the pace of a real one; nothing is waited for by it",
	"streams/lease/histories_test.go":    "time is simulated (testing/synctest): sleeping is how it passes, and takes none",
	"streams/lease/lease_test.go":        "time is simulated (testing/synctest): sleeping is how it passes, and takes none",
	"projections/analytics/lock_test.go": "time is simulated (testing/synctest): sleeping is how it passes, and takes none",
}
