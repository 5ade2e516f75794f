package checks

import (
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const dockerfile = "../docker/Dockerfile"

// stages parses the Dockerfile with BuildKit's own parser and linter.
func stages(t *testing.T) []instructions.Stage {
	t.Helper()
	file, err := os.Open(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	parsed, err := parser.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range parsed.Warnings {
		t.Errorf("parser: %s", w.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, _, _, message string, where []parser.Range) {
		t.Errorf("%s: %s %v", rule, message, where)
	}})
	list, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDockerfile(t *testing.T) {
	known := map[string]bool{}
	for _, stage := range stages(t) {
		base := stage.BaseName
		if !known[base] && (!strings.Contains(path.Base(base), ":") || strings.HasSuffix(base, ":latest")) {
			t.Errorf("stage %s begins with %s, which is no exact version", stage.Name, base)
		}
		known[stage.Name] = true
		for _, command := range stage.Commands {
			c, ok := command.(*instructions.CopyCommand)
			if !ok {
				continue
			}
			if c.From != "" {
				if !known[c.From] {
					t.Errorf("stage %s copies from %s, which comes later or never", stage.Name, c.From)
				}
				continue
			}
			for _, source := range c.SourcePaths {
				if found, err := filepath.Glob(filepath.Join("../..", source)); err != nil || len(found) == 0 {
					t.Errorf("stage %s copies %s, which is not there", stage.Name, source)
				}
			}
		}
	}
}

// What is run is not root, is looked after, and has nothing to build with.
func TestDockerfileImages(t *testing.T) {
	images := 0
	for _, stage := range stages(t) {
		if stage.Name != "slim" && stage.Name != "full" {
			continue
		}
		images++
		var user, entry, health bool
		for _, command := range stage.Commands {
			switch c := command.(type) {
			case *instructions.UserCommand:
				user = strings.HasPrefix(c.User, "nonroot")
			case *instructions.EntrypointCommand:
				entry = len(c.CmdLine) == 1 && c.CmdLine[0] == "strata"
			case *instructions.HealthCheckCommand:
				health = strings.Join(c.Health.Test, " ") == "CMD strata health --live"
			case *instructions.RunCommand:
				t.Errorf("image %s runs %v", stage.Name, c.CmdLine)
			case *instructions.EnvCommand:
				for _, pair := range c.Env {
					checkVariable(t, "the Dockerfile", pair.Key)
				}
			}
		}
		if !user || !entry || !health || !strings.HasPrefix(stage.BaseName, "gcr.io/distroless/") {
			t.Errorf("image %s: user %t, entry point %t, health %t, base %s", stage.Name, user, entry, health, stage.BaseName)
		}
	}
	if images != 2 {
		t.Errorf("%d images", images)
	}
}
