package checks

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// composeProject loads the file as `docker compose config` does: schema,
// interpolation, references among services, networks and volumes.
func composeProject(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../compose/docker-compose.yml"},
		cli.WithProfiles([]string{"*"}), cli.WithEnv([]string{
			"STRATA_MASTER_KEY=bWFzdGVy", "STRATA_ADMIN_KEY=sk-strata-admin-key", "CLICKHOUSE_PASSWORD=secret",
		}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func TestCompose(t *testing.T) {
	project := composeProject(t)
	roles := map[string]int{}
	for name, service := range project.Services {
		if service.Image == "" || strings.HasSuffix(service.Image, ":latest") {
			t.Errorf("%s has no exact image: %q", name, service.Image)
		}
		if !strings.HasPrefix(service.Image, "strata") {
			continue
		}
		if len(service.Command) == 1 {
			roles[service.Command[0]]++
		}
		if service.HealthCheck == nil || !service.ReadOnly || len(service.CapDrop) == 0 {
			t.Errorf("%s is not closed off, or nobody looks after it", name)
		}
		for variable := range service.Environment {
			checkVariable(t, name, variable)
		}
		for _, mount := range service.Volumes {
			own := mount.Target == "/data" && mount.Source == name
			if shared := mount.Target == "/shelf" && mount.Source == "shelf"; mount.Type != "volume" || !own && !shared {
				t.Errorf("%s mounts %+v", name, mount)
			}
		}
		if proxies := service.Environment["STRATA_TRUSTED_PROXIES"]; proxies == nil || (*proxies == "") != (name == "edge") {
			t.Errorf("%s does not tell callers apart, or believes whoever asks", name)
		}
		if shelf := service.Environment["STRATA_NODE_SNAPSHOTS"]; name != "edge" && (shelf == nil || *shelf != "/shelf" || len(service.Volumes) != 2) {
			t.Errorf("%s begins without the copies of others", name)
		}
	}
	for role, want := range map[string]int{"write": 2, "read": 2, "project": 2, "relay": 2, "edge": 1} {
		if roles[role] != want {
			t.Errorf("%d services are %s, want %d", roles[role], role, want)
		}
	}
	for _, role := range subcommands(t, roles) {
		t.Errorf("strata has no subcommand %s", role)
	}
	for _, url := range strings.Split(*project.Services["edge"].Environment["STRATA_EDGE_WRITE"]+","+*project.Services["edge"].Environment["STRATA_EDGE_READ"], ",") {
		host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), ":8000")
		if _, known := project.Services[host]; !known {
			t.Errorf("the edge sends requests to %s, which is no service", url)
		}
	}
}

// Without its secrets nothing starts.
func TestComposeNeedsSecrets(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../compose/docker-compose.yml"}, cli.WithEnv(nil))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := options.LoadProject(t.Context()); err == nil {
		t.Error("it starts without a master key")
	}
}

// Files that compose mounts are there, and what Prometheus scrapes are services.
func TestComposeFiles(t *testing.T) {
	project := composeProject(t)
	for name, service := range project.Services {
		for _, mount := range service.Volumes {
			if mount.Type == "bind" {
				if _, err := os.Stat(mount.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
	var prometheus struct {
		Jobs []struct {
			Static []struct{ Targets []string } `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, "../compose/prometheus/prometheus.yml", &prometheus)
	for _, job := range prometheus.Jobs {
		for _, static := range job.Static {
			for _, target := range static.Targets {
				if _, known := project.Services[strings.TrimSuffix(target, ":8000")]; !known {
					t.Errorf("prometheus scrapes %s, which is no service", target)
				}
			}
		}
	}
}

var settingName = regexp.MustCompile("`(STRATA_[A-Z0-9_]+)`")

// checkVariable checks that an environment variable is a setting of Strata.
func checkVariable(t *testing.T, where, name string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range settingName.FindAllSubmatch(text, -1) {
		if string(m[1]) == name {
			return
		}
	}
	t.Errorf("%s sets %s, which is no setting", where, name)
}

// subcommands returns those of some that the program does not have.
func subcommands(t *testing.T, wanted map[string]int) (missing []string) {
	t.Helper()
	binary, err := filepath.Abs("../../bin/strata")
	if err != nil {
		t.Fatal(err)
	}
	help, err := exec.Command(binary, "help").Output()
	if err != nil {
		t.Fatalf("make binary first: %v", err)
	}
	for name := range wanted {
		if !bytes.Contains(help, []byte("\n  strata "+name+" ")) {
			missing = append(missing, name)
		}
	}
	return missing
}
