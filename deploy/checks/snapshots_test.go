package checks

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// built is what kustomize makes of the manifests and some components of theirs.
func built(t *testing.T, components ...string) (list []object) {
	t.Helper()
	overlay, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	base, err := filepath.Abs(manifestDir)
	if err == nil {
		base, err = filepath.Rel(overlay, base)
	}
	if err != nil {
		t.Fatal(err)
	}
	k := map[string]any{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []string{base}}
	var paths []string
	for _, c := range components {
		paths = append(paths, filepath.Join(base, c))
	}
	k["components"] = paths
	text, err := yaml.Marshal(k)
	if err == nil {
		err = os.WriteFile(filepath.Join(overlay, "kustomization.yaml"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	if err != nil {
		t.Fatal(err)
	}
	if text, err = all.AsYaml(); err != nil {
		t.Fatal(err)
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		o := object{file: "built"}
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatal(err)
		}
		list = append(list, o)
	}
}

// With the component every role but edge has the shelf, besides its own directory, and
// is told of it; without it, nobody.
func TestSnapshotsComponent(t *testing.T) {
	for _, c := range []struct {
		components []string
		shelf      bool
	}{{nil, false}, {[]string{"snapshots"}, true}} {
		all := built(t, c.components...)
		workloads, claims := 0, 0
		for _, o := range all {
			if o.Metadata.Namespace != "strata" && o.Kind != "Namespace" {
				t.Errorf("%s is in the namespace %q", o, o.Metadata.Namespace)
			}
			switch {
			case o.Kind == "PersistentVolumeClaim":
				claims++
				if len(o.Spec.AccessModes) != 1 || o.Spec.AccessModes[0] != "ReadWriteMany" || o.Metadata.Name != "strata-shelf" {
					t.Errorf("%s cannot be shared: %v", o, o.Spec.AccessModes)
				}
			case o.Kind == "ConfigMap":
				if told := o.Data["STRATA_NODE_SNAPSHOTS"] == "/shelf"; told != c.shelf || o.Data["STRATA_PUBLIC_URL"] == "" {
					t.Errorf("%s: %v", o, o.Data)
				}
			case o.isWorkload():
				workloads++
				checkShelf(t, o, c.shelf && o.Spec.Template.Metadata.Labels["app.kubernetes.io/component"] != "edge")
			}
		}
		if workloads != 5 || (claims == 1) != c.shelf {
			t.Errorf("with %v there are %d workloads and %d claims", c.components, workloads, claims)
		}
	}
}

func checkShelf(t *testing.T, o object, wanted bool) {
	t.Helper()
	pod := o.Spec.Template.Spec
	mounts := map[string]string{}
	for _, m := range pod.Containers[0].Mounts {
		mounts[m.Path] = m.Name
	}
	claimed := false
	for _, v := range pod.Volumes {
		claimed = claimed || v.Name == mounts["/shelf"] && v.Claim.Name == "strata-shelf"
	}
	if claimed != wanted || mounts["/data"] != "data" || len(pod.Containers) != 1 || pod.Containers[0].Image == "" {
		t.Errorf("%s: the shelf is there: %v, wanted: %v; mounts %v", o, claimed, wanted, mounts)
	}
}
