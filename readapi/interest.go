package readapi

import (
	"slices"
	"strings"
)

// interest is which event types a live client wants: those in only (all, when
// it is empty) without those in except. A word of either is an exact type
// ("session.created.v1"), a type without its version, or a family
// ("session.*").
type interest struct {
	only, except []string
	nothing      bool // everything it wanted was given up
}

// maxInterest bounds the words of an interest.
const maxInterest = 100

// interestOf reads words separated by commas.
func interestOf(words string) interest {
	var out interest
	for _, w := range strings.Split(words, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out.only = append(out.only, w)
		}
	}
	return out
}

func (i interest) wants(typ string) bool {
	return !i.nothing && (len(i.only) == 0 || named(i.only, typ)) && !named(i.except, typ)
}

// without is the interest that remains when words are given up; no words are all.
func (i interest) without(words []string) interest {
	if len(words) == 0 {
		return interest{nothing: true}
	}
	out := interest{nothing: i.nothing, except: slices.Clone(i.except)}
	for _, w := range words {
		if !slices.Contains(out.except, w) {
			out.except = append(out.except, w)
		}
	}
	for _, w := range i.only {
		if !named(words, w) {
			out.only = append(out.only, w)
		}
	}
	out.nothing = out.nothing || len(i.only) > 0 && len(out.only) == 0
	return out
}

// named tells whether one of the words stands for a type.
func named(words []string, typ string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		if family, ok := strings.CutSuffix(w, "*"); ok {
			return strings.HasPrefix(typ, family)
		}
		return typ == w || strings.HasPrefix(typ, w+".v")
	})
}
