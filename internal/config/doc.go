// Package config is everything about Strata that can be set, in one typed
// value.
//
// A setting is a field of a section of [Config]. Its struct tags say the rest:
//
//	yaml    its name in the file, below the section's name
//	env     its environment variable without the prefix STRATA_
//	doc     what it means, with its unit
//	secret  "true" when its value must never be shown; it then has no flag,
//	        because command lines are visible to every user of the machine
//
// The flag's name follows from the variable's: STRATA_DATA_DIR is --data-dir.
// [Default] holds the defaults.
//
// Sources, the later overriding the earlier: defaults, the YAML file, the
// environment, flags. What nobody knows is told: an unknown key of the file is
// an error, an unknown STRATA_ variable a warning (the environment is shared
// with other programs, the file is not).
//
//	loader := config.NewLoader(os.Environ())
//	loader.Bind(flags) // a *flag.FlagSet of the subcommand
//	// … flags.Parse …
//	loaded, err := loader.Load()
package config
