package embedded

import (
	"slices"
	"strings"

	"strata/domain"
	"strata/streams"
)

// matcher applies a filter to index entries, so that records which do not
// match need not be read. The names in an index are judged once per segment.
type matcher struct {
	filter *streams.Filter
	index  index
	cats   []verdict
	types  []verdict
}

type verdict uint8

const (
	unjudged verdict = iota
	match
	noMatch
)

// use sets the index that the following questions are about.
func (m *matcher) use(x index) {
	if m.index != x {
		m.index, m.cats, m.types = x, m.cats[:0], m.types[:0]
	}
}

// wants tells whether a record may match; exact is false when only the record
// itself can tell.
func (m *matcher) wants(ord uint32) (want, exact bool) {
	f := m.filter
	named := f != nil && len(f.Categories)+len(f.Types)+len(f.TypePrefixes) > 0
	if !named && !m.index.system() && !m.index.removed() {
		return true, true
	}
	cat, typ := m.index.labels(ord)
	if cat == unnamed || typ == unnamed {
		return true, false
	}
	if judge(&m.cats, cat, func() bool { return m.matchCategory(m.index.category(cat), named) }) == noMatch {
		return false, true
	}
	if !named && !m.index.removed() {
		return true, true
	}
	return judge(&m.types, typ, func() bool { return m.matchType(m.index.eventType(typ)) }) == match, true
}

func judge(list *[]verdict, n uint16, matches func() bool) verdict {
	for len(*list) <= int(n) {
		*list = append(*list, unjudged)
	}
	v := &(*list)[n]
	if *v == unjudged {
		*v = noMatch
		if matches() {
			*v = match
		}
	}
	return *v
}

func (m *matcher) matchCategory(name string, named bool) bool {
	if !named {
		return !isSystem(domain.StreamID(name))
	}
	return len(m.filter.Categories) == 0 || slices.Contains(m.filter.Categories, name)
}

func (m *matcher) matchType(name string) bool {
	if name == "" {
		return false // removed
	}
	f := m.filter
	if f == nil || len(f.Types)+len(f.TypePrefixes) == 0 || slices.Contains(f.Types, name) {
		return true
	}
	return slices.ContainsFunc(f.TypePrefixes, func(p string) bool { return strings.HasPrefix(name, p) })
}

// workspace tells whether a record passes the part of the filter that indexes
// do not cover.
func (m *matcher) workspace(r *record) bool {
	return m.filter == nil || m.filter.Workspace == "" || m.filter.Workspace == string(r.workspace)
}
