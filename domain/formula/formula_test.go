package formula_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"strata/domain"
	"strata/domain/formula"
)

func value(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func vars(t *testing.T) map[string]any {
	return map[string]any{"inputs": value(t, `{"n":3,"name":"Ada","tags":["a","b"],"none":null,"items":[{"id":1,"ok":true},{"id":2,"ok":false}]}`)}
}

func TestEval(t *testing.T) {
	for text, want := range map[string]string{
		`inputs.n + 1`:                           `4`,
		`inputs.n == 3`:                          `true`,
		`inputs.n != 3.0`:                        `false`,
		`"a" in inputs.tags`:                     `true`,
		`not ("c" in inputs.tags)`:               `true`,
		`"name" in inputs`:                       `true`,
		`inputs.tags == ["a", "b"]`:              `true`,
		`{a: 1, b: [1, 2]} == {b: [1, 2], a: 1}`: `true`,
		`inputs.missing?.deeper`:                 `null`,
		`inputs.missing ?? "else"`:               `"else"`,
		`filter(inputs.items, .ok)[0].id`:        `1`,
		`map(1..3, # * 2)`:                       `[2,4,6]`,
		`"Hi " + inputs.name`:                    `"Hi Ada"`,
		`join(map(inputs.tags, upper(#)), "-")`:  `"A-B"`,
		`replace(inputs.name, "A", "O")`:         `"Oda"`,
		`concat(inputs.tags, ["c"])`:             `["a","b","c"]`,
		`flatten([[1], [2, 3]])`:                 `[1,2,3]`,
		`toJSON(inputs.tags)`:                    `"[\"a\",\"b\"]"`,
		`string(inputs.n) + string("x")`:         `"3x"`,
		`fromJSON("{\"a\":[1]}").a[0]`:           `1`,
		`let x = inputs.n; x * x`:                `9`,
		`sum(inputs.items, .id)`:                 `3`,
		`len(inputs.tags) > 1 ? "many" : "few"`:  `"many"`,
	} {
		f, err := formula.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		got, err := f.Eval(vars(t))
		b, _ := json.Marshal(got)
		if err != nil || string(b) != want {
			t.Errorf("%s is %s (%v), want %s", text, b, err, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"", "1 +", "a b", `"open`, "__meter", "let __x = 1; __x", "now()", "repeat(\"x\", 9)", strings.Repeat("1+", 3000) + "1",
		"[" + strings.Repeat("1,", 9000) + "1]"} {
		if _, err := formula.Parse(text); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// Whatever somebody writes: it ends soon, and takes little.
func TestIsBounded(t *testing.T) {
	big := strings.Repeat("x", 900_000)
	env := map[string]any{"big": big, "list": value(t, "["+strings.Repeat("1,", 200_000)+"1]")}
	for _, text := range []string{
		`1..1000000000`,
		`map(1..100000, map(1..100000, #))`,
		`map(1..1000, map(1..1000, map(1..1000, 1)))`,
		`map(1..10000, big + big)`,
		`map(1..10000, upper(big))`,
		`map(1..10000, reverse(list))`,
		`map(1..1000, sort(list))`,
		`join(map(1..10000, big), "")`,
		`replace(big, "x", big)`,
		`flatten(map(1..1000, list))`,
		`toJSON(map(1..10000, big))`,
		`string(map(1..10000, list))`,
		`map(1..10000, list) == map(1..10000, list)`,
		`list in map(1..1000, map(1..1000, list))`,
		`let a = big + big; let b = a + a; let c = b + b; let d = c + c; let e = d + d; let f = e + e; len(f)`,
		`let a = [list, list, list, list]; let b = [a, a, a, a]; let c = [b, b, b, b]; let d = [c, c, c, c]; let e = [d, d, d]; e == e`,
		`let a = [1, 1, 1, 1, 1, 1, 1, 1, 1]; let b = [a, a, a, a, a, a, a]; let c = [b, b, b, b, b, b]; let d = [c, c, c, c, c, c]; let e = [d, d, d, d, d, d]; let f = [e, e, e, e, e, e]; [f, f, f, f, f, f]`,
		`big + big`,
	} {
		f, err := formula.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		begun := time.Now()
		if _, err = f.Eval(env); domain.CodeOf(err) != domain.CodeValidation {
			t.Errorf("%s: %v", text, err)
		}
		if took := time.Since(begun); took > 20*time.Second { // generous: the machine may be busy
			t.Errorf("%s took %s", text, took)
		}
	}
}

func TestTrue(t *testing.T) {
	f, err := formula.Parse("inputs.n > 2")
	if err != nil {
		t.Fatal(err)
	}
	if yes, err := f.True(vars(t)); !yes || err != nil {
		t.Error(yes, err)
	}
	f, _ = formula.Parse("inputs.name")
	if _, err := f.True(vars(t)); err == nil {
		t.Error("a text passed for a condition")
	}
}

func TestTemplate(t *testing.T) {
	var faults []string
	fault := func(path, message string) { faults = append(faults, path+" "+message) }
	tpl := formula.ParseTemplate(value(t, `{"a":"{{inputs.n}}","b":["Hi {{inputs.name}}, {{ inputs.tags }}{{inputs.none}}!"],"c":7,"d":"plain","e":"{{ {a: {b: 1}} }}"}`), "config", fault)
	got, err := tpl.Render(vars(t))
	b, _ := json.Marshal(got)
	if want := `{"a":3,"b":["Hi Ada, [\"a\",\"b\"]!"],"c":7,"d":"plain","e":{"a":{"b":1}}}`; err != nil || string(b) != want || faults != nil {
		t.Errorf("%s %v %v", b, err, faults)
	}
	formula.ParseTemplate(value(t, `{"a":["{{1 +}}"],"b":"{{ open"}`), "config", fault)
	if len(faults) != 2 {
		t.Errorf("faults %q", faults)
	}
}

func FuzzFormula(f *testing.F) {
	for _, seed := range []string{`inputs.n + 1`, `map(1..3, #)`, `let a = inputs; a.tags[0]`, `{a: 1}.a`, `"x" in inputs.tags`, `inputs.items[:1]`} {
		f.Add(seed)
	}
	env := map[string]any{"inputs": map[string]any{"n": 3.0, "tags": []any{"a"}, "items": []any{map[string]any{"id": 1.0}}}}
	f.Fuzz(func(t *testing.T, text string) {
		formula.ParseTemplate(text, "at", func(string, string) {})
		parsed, err := formula.Parse(text)
		if err != nil {
			return
		}
		if _, err := parsed.Eval(env); err != nil && domain.CodeOf(err) != domain.CodeValidation {
			t.Errorf("%q: %v", text, err)
		}
	})
}
