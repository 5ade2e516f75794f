package httpx

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

type step struct {
	ID       string         `json:"id" required:"true"`
	MaxTries int            `json:"max_tries" default:"3" minimum:"1"`
	UserData map[string]any `json:"user_data,omitempty"`
	Children []step         `json:"children,omitempty"`
}

type gadget struct {
	ID          string                     `json:"id" access:"r"`
	DisplayName string                     `json:"display_name" required:"true" minLength:"2" maxLength:"40" example:"My gadget"`
	OwnerID     string                     `json:"owner_id,omitempty" access:"c"`
	SecretKey   string                     `json:"secret_key,omitempty" access:"w"`
	Status      string                     `json:"status" enum:"draft,active" default:"draft"`
	TopK        int                        `json:"top_k,omitempty" minimum:"1" maximum:"1000"`
	IsOpen      bool                       `json:"is_open"`
	FreeForm    map[string]any             `json:"free_form"`
	RawConfig   json.RawMessage            `json:"raw_config,omitempty"`
	WorkSteps   []step                     `json:"work_steps"`
	ByName      map[string]step            `json:"by_name,omitempty"`
	TagNames    []string                   `json:"tag_names" maxItems:"3"`
	ParentID    *string                    `json:"parent_id" nullable:"true"`
	Labels      map[string]json.RawMessage `json:"labels,omitempty"`
	Small       int8                       `json:"small,omitempty"`
	Count       uint16                     `json:"count,omitempty"`
	Ratio       float64                    `json:"ratio,omitempty"`
}

func gadgetShape(view View) *shape { return shapes{}.of(reflect.TypeFor[gadget](), view) }

func TestCanonicalRewritesKnownFieldsOnly(t *testing.T) {
	in := `{"displayName":"ab","freeForm":{"someKey":{"displayName":1}},"raw_config":{"topK":[1]},
		"workSteps":[{"id":"a","maxTries":5,"userData":{"maxTries":1}}],"byName":{"aB":{"id":"x"}}}`
	want := `{"display_name":"ab","free_form":{"someKey":{"displayName":1}},"raw_config":{"topK":[1]},` +
		`"work_steps":[{"id":"a","max_tries":5,"user_data":{"maxTries":1}}],"by_name":{"aB":{"id":"x","max_tries":3}},"status":"draft"}`
	got, faults, err := canonical(nil, []byte(in), gadgetShape(Create), true)
	if err != nil || faults != nil {
		t.Fatalf("faults %v, error %v", faults, err)
	}
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCanonicalFindsEveryFault(t *testing.T) {
	tests := []struct {
		name, in string
		view     View
		camel    bool
		want     []string // "field message"
	}{
		{"required", `{}`, Create, true, []string{"displayName is required"}},
		{"required in a list", `{"display_name":"ab","work_steps":[{},{"children":[{}]}]}`, Create, true,
			[]string{"workSteps[0].id is required", "workSteps[1].children[0].id is required", "workSteps[1].id is required"}},
		{"unknown", `{"display_name":"ab","colour":1,"work_steps":[{"id":"a","nope":1}]}`, Create, false,
			[]string{"colour is not a known field", "work_steps[0].nope is not a known field"}},
		{"both spellings", `{"display_name":"ab","displayName":"cd"}`, Create, true, []string{"displayName is given more than once"}},
		{"set once may be repeated", `{"owner_id":"u"}`, Update, true, nil},
		{"read only is ignored", `{"id":5}`, Update, true, nil},
		{"null clears on update", `{"display_name":null,"work_steps":null}`, Update, true, nil},
		{"null is no value on create", `{"display_name":null}`, Create, true, []string{"displayName must not be null"}},
		{"nullable", `{"display_name":"ab","parent_id":null}`, Create, true, nil},
		{"values", `{"display_name":"a","top_k":0,"status":"x","is_open":"yes","tag_names":["a","b","c",4]}`, Create, true,
			[]string{
				"displayName expected length >= 2", "topK expected number >= 1", `status expected value to be one of "draft, active"`,
				"isOpen expected boolean", "tagNames expected array length <= 3", "tagNames[3] expected string",
			}},
		{"types of containers", `{"display_name":"ab","work_steps":{},"by_name":[],"free_form":1}`, Create, true,
			[]string{"workSteps expected array", "byName expected object", "freeForm expected object"}},
		{"types of elements", `{"display_name":"ab","work_steps":[1],"by_name":{"k":{"id":2}}}`, Create, true,
			[]string{"workSteps[0] expected object", "byName.k.id expected string"}},
		{"not an object", `[]`, Create, true, []string{" expected object"}},
		{"fractions", `{"display_name":"ab","top_k":1.5}`, Create, true, []string{"topK expected integer"}},
		{"whole numbers however written", `{"display_name":"ab","top_k":3e2,"small":-1.0e1,"count":7.0}`, Create, true, nil},
		{"numbers that do not fit", `{"display_name":"ab","top_k":99999999999999999999,"small":128,"count":-1,"ratio":1e999}`, Create, true,
			[]string{"topK is out of range", "small is out of range", "count expected number >= 0", "ratio is out of range"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, faults, err := canonical(nil, []byte(test.in), gadgetShape(test.view), test.camel)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range faults {
				got = append(got, f.Field+" "+f.Message)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestIntegersBecomePlain(t *testing.T) {
	got, faults, err := canonical(nil, []byte(`{"display_name":"ab","status":"draft","top_k":3e2,"small":-1.0e1,"ratio":1.50}`), gadgetShape(Create), true)
	if want := `{"display_name":"ab","status":"draft","top_k":300,"small":-10,"ratio":1.50}`; string(got) != want || faults != nil || err != nil {
		t.Errorf("got  %s %v %v\nwant %s", got, faults, err, want)
	}
}

func TestRenderHidesWriteOnlyAndFillsEmpty(t *testing.T) {
	raw, err := json.Marshal(gadget{DisplayName: "ab", SecretKey: "hush"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := render(nil, raw, gadgetShape(Output), true)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"","displayName":"ab","status":"","isOpen":false,"freeForm":{},"workSteps":[],"tagNames":[],"parentId":null}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSyntaxErrorsTellTheOffset(t *testing.T) {
	for in, offset := range map[string]int{
		``: 0, `{`: 1, `{"a"`: 4, `{"a":1,}`: 7, `[1 2]`: 3, `tru`: 0, `"\x"`: 2, `01`: 1, `{"a":1} x`: 8, "\"\n\"": 1, `1.`: 2, `-`: 1,
	} {
		_, _, err := canonical(nil, []byte(in), nil, false)
		e, ok := err.(*syntaxError)
		if !ok || e.offset != offset {
			t.Errorf("%q: got %v, want an error at %d", in, err, offset)
		}
	}
	if _, _, err := canonical(nil, []byte(strings.Repeat("[", 1000)), nil, false); err == nil || !strings.Contains(err.Error(), "deeply") {
		t.Errorf("deep nesting: %v", err)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	body := "{" + strings.Repeat(`"`+strings.Repeat("é", 5000)+`":1,`, 300) + `"displayName":"ab"}`
	_, faults, err := canonical(nil, []byte(body), gadgetShape(Create), true)
	if err != nil || len(faults) != maxFaults+1 || len(faults[0].Field) > maxFaultName+3 {
		t.Errorf("%d faults, %v", len(faults), err)
	}
}

// FuzzRewriter holds the rewriter to encoding/json: it accepts the same texts,
// leaves free-form values equal, and a round trip through a mount's case and
// back changes nothing.
func FuzzRewriter(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[1,2.5e-3,"aé\n"]`, `{"displayName":"ab","free_form":{"aB":[{}]}}`, `{"work_steps":[{"id":"a"}],"by_name":{"x y":{}}}`,
		`{"display\u004eame":"x"}`, ` { "a" : [ ] } `, `{"id":1,"id":2}`, `-0`, `"\ud800"`,
	} {
		f.Add([]byte(seed))
	}
	in, out := gadgetShape(Create), gadgetShape(Output)
	f.Fuzz(func(t *testing.T, text []byte) {
		free, _, err := canonical(nil, text, nil, false)
		if err != nil && strings.Contains(err.Error(), "nested too deeply") {
			return // a bound of ours
		}
		if valid := json.Valid(text); valid != (err == nil) {
			t.Fatalf("%q: valid %v, but %v", text, valid, err)
		}
		if err != nil {
			return
		}
		if !equalJSON(t, text, free) {
			t.Fatalf("%q became %q", text, free)
		}
		canon, faults, err := canonical(nil, text, in, true)
		if err != nil || !json.Valid(canon) {
			t.Fatalf("%q: %q, %v", text, canon, err)
		}
		shown, err := render(nil, canon, out, true)
		if err != nil || !json.Valid(shown) {
			t.Fatalf("%q: %q, %v", canon, shown, err)
		}
		if len(faults) > 0 {
			return
		}
		again, faults, err := canonical(nil, shown, in, false)
		if err != nil || len(faults) > 0 {
			t.Fatalf("%q: %v %v", shown, faults, err)
		}
		twice, err := render(nil, again, out, true)
		if err != nil || !equalJSON(t, shown, twice) {
			t.Fatalf("%q became %q: %v", shown, twice, err)
		}
	})
}

func equalJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		return json.Unmarshal(b, &y) != nil // both out of range: 1e999
	}
	return json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func TestCaseRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z][a-z0-9]*(_[a-z][a-z0-9]*){0,4}`).Draw(t, "name")
		if back := snakeCase(camelCase(name)); back != name {
			t.Fatalf("%q → %q → %q", name, camelCase(name), back)
		}
	})
}

func TestRewriteEquivalence(t *testing.T) {
	in, out := gadgetShape(Create), gadgetShape(Output)
	rapid.Check(t, func(t *rapid.T) {
		g := gadget{
			DisplayName: rapid.StringMatching(`[a-zA-Zé"\\]{2,20}`).Draw(t, "name"),
			Status:      rapid.SampledFrom([]string{"draft", "active"}).Draw(t, "status"),
			TopK:        rapid.IntRange(1, 1000).Draw(t, "k"),
			IsOpen:      rapid.Bool().Draw(t, "open"),
			FreeForm:    map[string]any{rapid.String().Draw(t, "key"): rapid.String().Draw(t, "value")},
			WorkSteps:   []step{{ID: "a", MaxTries: rapid.IntRange(1, 9).Draw(t, "tries")}},
			TagNames:    rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "tags"),
		}
		raw, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		shown, err := render(nil, raw, out, true)
		if err != nil {
			t.Fatal(err)
		}
		back, faults, err := canonical(nil, shown, in, true)
		if err != nil || len(faults) > 0 {
			t.Fatalf("%s: %v %v", shown, faults, err)
		}
		var got gadget
		if err := json.Unmarshal(back, &got); err != nil {
			t.Fatal(err)
		}
		if len(g.TagNames) == 0 {
			got.TagNames, g.TagNames = nil, nil
		}
		if !reflect.DeepEqual(got, g) {
			t.Fatalf("got %+v, want %+v", got, g)
		}
	})
}
