package config

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

// DefaultFile is the YAML file that is read when none is named and it exists.
const DefaultFile = "strata.yaml"

// fileEnv names the YAML file in the environment.
const fileEnv = EnvPrefix + "CONFIG"

// Loader gathers a configuration from its sources. It is used once.
type Loader struct {
	environ  []string
	file     string // --config
	given    map[string]string
	config   Config
	settings []*setting
}

// NewLoader makes a loader that sees the given environment ("NAME=value", as
// os.Environ answers it).
func NewLoader(environ []string) *Loader {
	l := &Loader{environ: environ, given: map[string]string{}, config: Default()}
	l.settings = settingsOf(&l.config)
	return l
}

// Defaults changes the defaults, for a program that shares settings with others
// but not what they are when nobody has set them. It comes before Bind.
func (l *Loader) Defaults(change func(*Config)) { change(&l.config) }

// Bind declares --config and a flag for every setting that may have one.
func (l *Loader) Bind(fs *flag.FlagSet) {
	fs.StringVar(&l.file, "config", "", "YAML `file` with settings; also "+fileEnv+" (default "+DefaultFile+" if it exists)")
	for _, s := range l.settings {
		if s.flag != "" {
			fs.Var(&flagValue{loader: l, setting: s}, s.flag, s.doc)
		}
	}
}

// flagValue remembers what a flag was given, to be applied after the other sources.
type flagValue struct {
	loader  *Loader
	setting *setting
}

func (f *flagValue) Set(text string) error {
	if _, err := f.setting.parse(text); err != nil {
		return err
	}
	f.loader.given[f.setting.flag] = text
	return nil
}

func (f *flagValue) String() string {
	if f.setting == nil { // package flag asks a zero value
		return ""
	}
	return f.setting.text()
}

// IsBoolFlag lets a switch be given without a value.
func (f *flagValue) IsBoolFlag() bool {
	_, isBool := f.setting.value.Interface().(bool)
	return isBool
}

// Loaded is a configuration and where each part of it comes from.
type Loaded struct {
	Config
	File     string   // the YAML file that was read; "" for none
	Warnings []string // what was found and not understood, but does no harm
	settings []*setting
}

// Load applies the sources in order and validates the result. The error names
// every fault of every source.
func (l *Loader) Load() (*Loaded, error) {
	env := l.environment()
	file, faults := l.readFile(env)
	warnings, err := l.applyEnvironment(env)
	faults = append(faults, err)
	for _, s := range l.settings {
		if text, ok := l.given[s.flag]; ok && s.flag != "" {
			faults = append(faults, s.from("flag --"+s.flag, text))
		}
	}
	out := &Loaded{Config: l.config, File: file, Warnings: warnings}
	out.settings = settingsOf(&out.Config)
	for i, s := range l.settings {
		out.settings[i].source = s.source
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if err := out.Validate(); err != nil {
		return nil, err
	}
	return out, nil
}

// from sets a value and remembers who did; the error names both.
func (s *setting) from(source, text string) error {
	if err := s.set(text); err != nil {
		if s.secret != "" {
			err = errors.New("is not valid")
		}
		return fmt.Errorf("%s (from %s): %w", s.path, source, err)
	}
	s.source = source
	return nil
}

// environment is the part of the environment that is meant for Strata.
func (l *Loader) environment() map[string]string {
	env := map[string]string{}
	for _, pair := range l.environ {
		name, value, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, EnvPrefix) {
			env[name] = value
		}
	}
	return env
}

func (l *Loader) applyEnvironment(env map[string]string) (warnings []string, err error) {
	known := map[string]bool{fileEnv: true}
	var faults []error
	for _, s := range l.settings {
		known[s.env] = true
		if text, ok := env[s.env]; ok {
			faults = append(faults, s.from("environment "+s.env, text))
		}
	}
	for name := range env {
		if !known[name] {
			warnings = append(warnings, fmt.Sprintf("environment variable %s is not a setting of Strata", name))
		}
	}
	slices.Sort(warnings)
	return warnings, errors.Join(faults...)
}

// readFile applies the YAML file: the one that is named, which must exist, or
// DefaultFile if it does.
func (l *Loader) readFile(env map[string]string) (path string, faults []error) {
	named := cmp.Or(l.file, env[fileEnv])
	path = cmp.Or(named, DefaultFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && named == "" {
		return "", nil
	}
	if err != nil {
		return "", []error{fmt.Errorf("read the configuration: %w", err)}
	}
	return path, l.applyYAML(path, text)
}
