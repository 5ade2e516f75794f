package domaintest

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"strata/domain"
)

var update = flag.Bool("update", false, "write golden files of new event versions")

// Golden proves that released events stay readable. Each example is a fully
// filled fact; its file testdata/events/<type>.json is what the log holds of
// it. The file must decode to the example and the example must encode to the
// file. -update writes files that do not exist yet; it never rewrites one, for
// a released version is never changed: make a new version instead.
func Golden(t *testing.T, types []domain.FactType, examples ...domain.Fact) {
	t.Helper()
	byName := map[string]domain.Fact{}
	for _, f := range examples {
		byName[f.EventType()] = f
	}
	for _, ft := range types {
		t.Run(ft.Name, func(t *testing.T) {
			example, ok := byName[ft.Name]
			if !ok {
				t.Fatal("this fact type has no example")
			}
			checkGolden(t, ft, example)
		})
	}
	for name := range byName {
		if !contains(types, name) {
			t.Errorf("%s is not among the aggregate's fact types: the codec could not read it", name)
		}
	}
	files, err := filepath.Glob("testdata/events/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); !contains(types, name) {
			t.Errorf("nothing reads %s any more: released events must stay readable", file)
		}
	}
}

func checkGolden(t *testing.T, ft domain.FactType, example domain.Fact) {
	t.Helper()
	file := filepath.Join("testdata", "events", ft.Name+".json")
	written, err := json.MarshalIndent(example, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	written = append(written, '\n')
	stored, err := os.ReadFile(file)
	if os.IsNotExist(err) && *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, written, 0o644); err != nil {
			t.Fatal(err)
		}
		stored = written
	} else if err != nil {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	if !bytes.Equal(stored, written) {
		t.Errorf("%s encodes as\n%s\nbut was released as\n%s", ft.Name, written, stored)
	}
	got, err := ft.Decode(compact(t, stored))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, example) {
		t.Errorf("decoded %+v, want %+v", got, example)
	}
}

func compact(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func contains(types []domain.FactType, name string) bool {
	for _, t := range types {
		if t.Name == name {
			return true
		}
	}
	return false
}
