package eslog

import (
	"regexp"
	"strings"
	"testing"
)

func TestExpressions(t *testing.T) {
	for _, test := range []struct {
		text    string
		yes, no []string
	}{
		{`^[^\$].*`, []string{"a"}, []string{"$a", ""}},
		{`b`, []string{"abc"}, []string{"ac"}},
		{`^(?!(\$.+$|PersistentConfig\d+$))`, []string{"a", "$", "PersistentConfig", ""}, []string{"$a", "PersistentConfig1"}},
		{`^(?!\$).*-1$`, []string{"a-1"}, []string{"$a-1", "a-2"}},
		{`^(?!a|b)c|`, nil, nil},
		{`^(?![)\]]x)(a|.x)`, []string{"a", "bx"}, []string{")x", "]x"}},
		{`^(?!a)`, []string{"ba", ""}, []string{"ab"}},
	} {
		e, err := parseExpression(test.text)
		if test.yes == nil {
			if err == nil {
				t.Errorf("%s is taken", test.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		for _, s := range test.yes {
			if !e.matches(s) {
				t.Errorf("%s does not match %q", test.text, s)
			}
		}
		for _, s := range test.no {
			if e.matches(s) {
				t.Errorf("%s matches %q", test.text, s)
			}
		}
	}
	for _, bad := range []string{`(?=a)b`, `^(?!a`, `^(?!a)|b`, `^(?!(?!a))`, `a(?!b)`, `(`} {
		if _, err := parseExpression(bad); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// FuzzExpression compares what has no look-around with RE2 itself, and what has
// one with RE2 on both of its halves.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{`^[^\$].*`, `^(?!(\$.+$|P\d+$))`, `^(?![)\]]x)(a|.x)`, `[]a]`, `(`, `\`, `^(?!`} {
		f.Add(seed, "$a")
	}
	f.Fuzz(func(t *testing.T, text, name string) {
		e, err := parseExpression(text)
		inner, lookAhead := strings.CutPrefix(text, "^(?!")
		if !lookAhead {
			want, wantErr := regexp.Compile(text)
			if (err == nil) != (wantErr == nil) || err == nil && e.matches(name) != want.MatchString(name) {
				t.Fatalf("%q on %q: %v, %v", text, name, err, wantErr)
			}
			return
		}
		if err != nil {
			return
		}
		end := outside(inner, ')')
		not, find := regexp.MustCompile("^(?:"+inner[:end]+")"), regexp.MustCompile("^"+inner[end+1:])
		if e.matches(name) != (find.MatchString(name) && !not.MatchString(name)) {
			t.Fatalf("%q on %q", text, name)
		}
	})
}
