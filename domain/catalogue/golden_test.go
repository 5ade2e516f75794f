package catalogue_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"strata/domain"
	"strata/domain/catalogue"
)

// updating tells whether -update was given, which domaintest defines.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }

// Released documents of every kind stay readable and valid: what was created
// with them must go on living. The files are what was once released, not what
// the kinds' examples say today.
func TestGolden(t *testing.T) {
	for _, k := range catalogue.All() {
		for _, ft := range domain.KindFactTypes(k.Spec().Name) {
			t.Run(ft.Name, func(t *testing.T) {
				stored := released(t, k, ft)
				fact, err := ft.Decode(stored)
				if err != nil {
					t.Fatal(err)
				}
				written, err := json.MarshalIndent(fact, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(append(written, '\n'), stored) {
					t.Errorf("it encodes as\n%s\nbut was released as\n%s", written, stored)
				}
				f, ok := fact.(domain.KindFact)
				if !ok || f.Verb == domain.VerbDeleted {
					return
				}
				if err := k.Validate(f.Doc); err != nil {
					t.Errorf("a released document is not valid any more: %v", err)
				}
			})
		}
	}
}

// released reads the golden file of a fact; -update writes one that does not exist.
func released(t *testing.T, k domain.AnyKind, ft domain.FactType) []byte {
	t.Helper()
	file := filepath.Join("testdata", "events", ft.Name+".json")
	stored, err := os.ReadFile(file)
	if err == nil {
		return stored
	}
	if !os.IsNotExist(err) || !updating() {
		t.Fatalf("%v (run with -update to write it)", err)
	}
	empty, err := ft.Decode([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	f := empty.(domain.KindFact)
	switch f.Verb {
	case domain.VerbCreated:
		f.Doc = k.ExampleDoc()
	case domain.VerbCloned:
		f.Doc, f.Source = k.ExampleDoc(), k.Spec().Prefix+"_1"
	case domain.VerbUpdated:
		f.Doc, f.Changelog = k.ExampleDoc(), "why it was changed"
	case domain.VerbRestored:
		f.Doc, f.Version = k.ExampleDoc(), 1
	}
	written, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	written = append(written, '\n')
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, written, 0o644); err != nil {
		t.Fatal(err)
	}
	return written
}
