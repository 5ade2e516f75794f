package live

import (
	"fmt"
	"slices"
	"strings"

	"strata/streams"
)

// Interest is which event types a client wants: those in only (all, when it is
// empty) without those in except. A word of either is an exact type
// ("session.created.v1"), a type without its version, or a family
// ("session.*").
type Interest struct {
	only, except []string
	nothing      bool // everything it wanted was given up
}

// maxInterest bounds the words of an interest.
const maxInterest = 100

// InterestOf reads words separated by commas; no words are all types.
func InterestOf(words string) Interest {
	var out Interest
	for w := range strings.SplitSeq(words, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out.only = append(out.only, w)
		}
	}
	return out
}

func (i *Interest) wants(typ string) bool {
	return !i.nothing && (len(i.only) == 0 || named(i.only, typ)) && !named(i.except, typ)
}

// key is the same for interests in the same words, and for no others.
func (i *Interest) key() string { return fmt.Sprintf("%t%q%q", i.nothing, i.only, i.except) }

// filter selects at least what is wanted of a workspace.
func (i *Interest) filter(workspace string) *streams.Filter {
	f := &streams.Filter{Workspace: workspace}
	for _, w := range i.only {
		if family, ok := strings.CutSuffix(w, "*"); ok {
			f.TypePrefixes = append(f.TypePrefixes, family)
		} else {
			f.Types = append(f.Types, w)
			f.TypePrefixes = append(f.TypePrefixes, w+".v")
		}
	}
	return f
}

// without is the interest that remains when words are given up; no words are all.
func (i *Interest) without(words []string) Interest {
	if len(words) == 0 {
		return Interest{nothing: true}
	}
	out := Interest{nothing: i.nothing, except: slices.Clone(i.except)}
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
		return typ == w || strings.HasPrefix(typ, w) && strings.HasPrefix(typ[len(w):], ".v")
	})
}
