package checks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const manifestDir = "../kubernetes"

// object is a Kubernetes object, as far as these tests look into it. That fields
// are what Kubernetes knows is checked by its schema; see the Makefile.
type object struct {
	file     string
	Kind     string
	Metadata struct {
		Name      string
		Namespace string
		Labels    map[string]string
	}
	Data map[string]string
	Spec struct {
		Replicas    *int
		Selector    yaml.Node
		ServiceName string `yaml:"serviceName"`
		Template    struct {
			Metadata struct{ Labels map[string]string }
			Spec     podSpec
		}
		Claims []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
		Ports  []struct {
			Name       string
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
		ScaleTarget struct{ Kind, Name string } `yaml:"scaleTargetRef"`
		PodSelector selector                    `yaml:"podSelector"`
		Endpoints   []struct{ Port string }
		AccessModes []string `yaml:"accessModes"`
	}
}

type podSpec struct {
	AutomountToken *bool `yaml:"automountServiceAccountToken"`
	Security       struct {
		RunAsNonRoot bool `yaml:"runAsNonRoot"`
	} `yaml:"securityContext"`
	Containers []container
	Volumes    []struct {
		Name  string
		Claim struct {
			Name string `yaml:"claimName"`
		} `yaml:"persistentVolumeClaim"`
	}
}

type container struct {
	Name, Image string
	Args        []string
	Ports       []struct {
		Name string
		Port int `yaml:"containerPort"`
	}
	Env     []struct{ Name, Value string }
	EnvFrom []struct {
		ConfigMap struct{ Name string } `yaml:"configMapRef"`
		Secret    struct{ Name string } `yaml:"secretRef"`
	} `yaml:"envFrom"`
	Startup   *probe `yaml:"startupProbe"`
	Readiness *probe `yaml:"readinessProbe"`
	Liveness  *probe `yaml:"livenessProbe"`
	Resources struct{ Requests, Limits map[string]string }
	Security  struct {
		ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
		MayEscalate  *bool `yaml:"allowPrivilegeEscalation"`
		Capabilities struct{ Drop []string }
	} `yaml:"securityContext"`
	Mounts []struct {
		Name string
		Path string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTP struct{ Path, Port string } `yaml:"httpGet"`
}

type selector struct {
	Labels      map[string]string `yaml:"matchLabels"`
	Expressions []struct {
		Key, Operator string
		Values        []string
	} `yaml:"matchExpressions"`
}

// matches tells whether labels are selected.
func (s selector) matches(labels map[string]string) bool {
	for key, value := range s.Labels {
		if labels[key] != value {
			return false
		}
	}
	for _, e := range s.Expressions {
		if e.Operator != "In" || !slices.Contains(e.Values, labels[e.Key]) {
			return false
		}
	}
	return true
}

// manifests are the objects that kustomization.yaml lists.
func manifests(t *testing.T) []object {
	t.Helper()
	var k struct{ Resources []string }
	readYAML(t, filepath.Join(manifestDir, "kustomization.yaml"), &k)
	var list []object
	for _, file := range k.Resources {
		list = append(list, objectsOf(t, file)...)
	}
	files, err := filepath.Glob(filepath.Join(manifestDir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		if name != "kustomization.yaml" && name != "secret.example.yaml" && !slices.Contains(k.Resources, name) {
			t.Errorf("%s is listed nowhere", name)
		}
	}
	return list
}

func objectsOf(t *testing.T, file string) (list []object) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(manifestDir, file))
	if err != nil {
		t.Fatal(err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		o := object{file: file}
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, o)
	}
}

func (o object) String() string { return fmt.Sprintf("%s: %s %s", o.file, o.Kind, o.Metadata.Name) }

func (o object) isWorkload() bool { return o.Kind == "Deployment" || o.Kind == "StatefulSet" }

// selectorOf decodes a selector of either form.
func (o object) selectorOf(t *testing.T) selector {
	t.Helper()
	var s selector
	var err error
	if o.Kind == "Service" {
		err = o.Spec.Selector.Decode(&s.Labels)
	} else {
		err = o.Spec.Selector.Decode(&s)
	}
	if err != nil {
		t.Fatalf("%s: %v", o, err)
	}
	return s
}

func TestWorkloads(t *testing.T) {
	all := manifests(t)
	roles := map[string]int{}
	for _, o := range all {
		if !o.isWorkload() {
			continue
		}
		pod := o.Spec.Template.Spec
		if !o.selectorOf(t).matches(o.Spec.Template.Metadata.Labels) {
			t.Errorf("%s does not select its own pods", o)
		}
		if !pod.Security.RunAsNonRoot || pod.AutomountToken == nil || *pod.AutomountToken || len(pod.Containers) != 1 {
			t.Errorf("%s: root, a token of the cluster, or not one container", o)
		}
		c := pod.Containers[0]
		checkContainer(t, o, c, all)
		if len(c.Args) != 1 || c.Args[0] != o.Spec.Template.Metadata.Labels["app.kubernetes.io/component"] {
			t.Errorf("%s runs %v", o, c.Args)
		}
		roles[c.Args[0]]++
		volumes := map[string]bool{}
		for _, v := range pod.Volumes {
			volumes[v.Name] = true
		}
		for _, claim := range o.Spec.Claims {
			volumes[claim.Metadata.Name] = true
		}
		for _, m := range c.Mounts {
			if !volumes[m.Name] {
				t.Errorf("%s mounts %s, which is no volume", o, m.Name)
			}
		}
		for _, needed := range []string{"PodDisruptionBudget", "Service"} {
			if !slices.ContainsFunc(all, func(other object) bool {
				return other.Kind == needed && other.selectorOf(t).matches(o.Spec.Template.Metadata.Labels)
			}) {
				t.Errorf("%s has no %s", o, needed)
			}
		}
		scaled := slices.ContainsFunc(all, func(other object) bool {
			return other.Kind == "HorizontalPodAutoscaler" && other.Spec.ScaleTarget.Kind == o.Kind && other.Spec.ScaleTarget.Name == o.Metadata.Name
		})
		if scaled == (o.Spec.Replicas != nil) {
			t.Errorf("%s: either it is scaled or it has a number of replicas", o)
		}
	}
	if len(roles) != 5 {
		t.Errorf("roles %v", roles)
	}
	for _, role := range subcommands(t, roles) {
		t.Errorf("strata has no subcommand %s", role)
	}
}

func checkContainer(t *testing.T, o object, c container, all []object) {
	t.Helper()
	if c.Startup == nil || c.Readiness == nil || c.Liveness == nil {
		t.Errorf("%s lacks a probe", o)
		return
	}
	if c.Readiness.HTTP.Path != "/readyz" || c.Liveness.HTTP.Path != "/healthz" || c.Startup.HTTP.Path != "/healthz" {
		t.Errorf("%s asks %s, %s and %s", o, c.Startup.HTTP.Path, c.Readiness.HTTP.Path, c.Liveness.HTTP.Path)
	}
	for _, p := range []*probe{c.Startup, c.Readiness, c.Liveness} {
		if p.HTTP.Port != c.Ports[0].Name {
			t.Errorf("%s is asked at port %s", o, p.HTTP.Port)
		}
	}
	if c.Ports[0].Port != 8000 {
		t.Errorf("%s: the image listens on 8000, not on %d", o, c.Ports[0].Port)
	}
	if c.Resources.Requests["cpu"] == "" || c.Resources.Requests["memory"] == "" || c.Resources.Limits["memory"] == "" {
		t.Errorf("%s does not say what it needs", o)
	}
	if !c.Security.ReadOnly || c.Security.MayEscalate == nil || *c.Security.MayEscalate || !slices.Contains(c.Security.Capabilities.Drop, "ALL") {
		t.Errorf("%s is not closed off", o)
	}
	for _, e := range c.Env {
		checkVariable(t, o.String(), e.Name)
	}
	for _, from := range c.EnvFrom {
		name := from.ConfigMap.Name
		if from.Secret.Name != "" {
			continue // made by hand; see secret.example.yaml
		}
		if !slices.ContainsFunc(all, func(other object) bool { return other.Kind == "ConfigMap" && other.Metadata.Name == name }) {
			t.Errorf("%s takes settings from %s, which is not there", o, name)
		}
	}
}

var serviceURL = regexp.MustCompile(`http://([a-z0-9.-]+):(\d+)`)

// Services lead to pods, the edge to services, policies and monitors to something.
func TestConnections(t *testing.T) {
	all := manifests(t)
	pods := func(s selector) (n int) {
		for _, o := range all {
			if o.isWorkload() && s.matches(o.Spec.Template.Metadata.Labels) {
				n++
			}
		}
		return n
	}
	services := map[string]object{}
	for _, o := range all {
		if o.Kind == "Service" {
			services[o.Metadata.Name] = o
		}
	}
	for _, o := range all {
		switch o.Kind {
		case "Service", "PodDisruptionBudget":
			if n := pods(o.selectorOf(t)); n != 1 {
				t.Errorf("%s selects %d workloads", o, n)
			}
		case "NetworkPolicy":
			if pods(o.Spec.PodSelector) == 0 {
				t.Errorf("%s selects nothing", o)
			}
		case "StatefulSet":
			if _, known := services[o.Spec.ServiceName]; !known {
				t.Errorf("%s names the service %s, which is not there", o, o.Spec.ServiceName)
			}
		case "ServiceMonitor":
			monitored := map[string]bool{}
			for _, s := range services {
				if o.selectorOf(t).matches(s.Metadata.Labels) {
					role := s.Metadata.Labels["app.kubernetes.io/component"]
					if monitored[role] || s.Spec.Ports[0].Name != o.Spec.Endpoints[0].Port {
						t.Errorf("%s watches %s twice or at a port it does not have", o, s)
					}
					monitored[role] = true
				}
			}
			if len(monitored) != 5 {
				t.Errorf("%s watches %v", o, monitored)
			}
		case "Deployment":
			for _, e := range o.Spec.Template.Spec.Containers[0].Env {
				for _, m := range serviceURL.FindAllStringSubmatch(e.Value, -1) {
					labels := strings.Split(m[1], ".")
					if _, known := services[labels[len(labels)-1]]; !known {
						t.Errorf("%s: %s leads to %s, which is no service", o, e.Name, m[0])
					}
				}
			}
		}
	}
}

func TestSettingsOfManifests(t *testing.T) {
	for _, o := range append(manifests(t), objectsOf(t, "secret.example.yaml")...) {
		for name := range o.Data {
			checkVariable(t, o.String(), name)
		}
	}
}
