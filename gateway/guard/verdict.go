package guard

import (
	"slices"
	"strings"
)

// Verdict is what the guard says of a text.
type Verdict struct {
	Flagged    bool     // something was found
	Allowed    bool     // nothing of it is blocked
	Categories []string // of what was found, in order, each once
	Reasons    []string // what was found, in words, each once
	Side       Side     // where it was blocked; "" when it was not
}

// Pass is the verdict on a text in which nothing was found.
func Pass() Verdict { return Verdict{Allowed: true} }

// And joins two verdicts: what one finds is found, what one blocks is blocked.
func (v Verdict) And(other Verdict) Verdict {
	v.Flagged = v.Flagged || other.Flagged
	if v.Allowed && !other.Allowed {
		v.Side = other.Side
	}
	v.Allowed = v.Allowed && other.Allowed
	v.Categories = union(v.Categories, other.Categories)
	v.Reasons = union(v.Reasons, other.Reasons)
	return v
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// Reason tells in one sentence what was found, "" when nothing was.
func (v Verdict) Reason() string {
	if len(v.Reasons) == 0 {
		return ""
	}
	return "Found " + strings.Join(v.Reasons, ", ") + "."
}

// Check looks at a whole text.
func (r *Rules) Check(side Side, text string) Verdict {
	return r.look(side, text, true)
}

// look checks a text. When it is not the end, a match that reaches the end of
// the text may become another with what follows, and does not count yet.
func (r *Rules) look(side Side, text string, end bool) Verdict {
	v := Pass()
	folded := ""
	for i := range r.rules {
		rule := &r.rules[i]
		if rule.input && side != Input {
			continue
		}
		in := text
		if rule.folded {
			if folded == "" {
				folded = fold(text)
			}
			in = folded
		}
		if !rule.matches(in, end) {
			continue
		}
		found := Verdict{Flagged: true, Allowed: !r.blocked[rule.category], Categories: []string{string(rule.category)}, Reasons: []string{rule.name}}
		if !found.Allowed {
			found.Side = side
		}
		v = v.And(found)
	}
	return v
}

func (r *rule) matches(text string, end bool) bool {
	if len(r.needs) > 0 && !slices.ContainsFunc(r.needs, func(s string) bool { return strings.Contains(text, s) }) {
		return false
	}
	for _, at := range r.pattern.FindAllStringIndex(text, -1) {
		if (end || at[1] < len(text)) && (r.valid == nil || r.valid(text[at[0]:at[1]])) {
			return true
		}
	}
	return false
}
