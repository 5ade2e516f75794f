package identity

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"strata/domain"
)

// Limits of what a client may store.
const (
	maxName        = 200      // characters
	maxSlug        = 63       // bytes, as in a DNS label
	maxDescription = 2000     // characters
	maxSettings    = 64 << 10 // bytes of JSON
	maxEmail       = 254      // bytes, RFC 5321
	maxScopes      = 200
)

var slugPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// Slug makes a slug of a name: its ASCII letters and digits in lower case,
// words joined by "-". It is "" when the name has none.
func Slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	slug := strings.Join(words, "-")
	if len(slug) > maxSlug {
		slug = strings.TrimRight(slug[:maxSlug], "-")
	}
	return slug
}

func checkName(f *domain.Faults, field, name string) {
	f.Add(strings.TrimSpace(name) == "", field, "is required")
	f.Add(utf8.RuneCountInString(name) > maxName, field, "must be at most %d characters long", maxName)
}

func checkNaming(f *domain.Faults, name, slug string) {
	checkName(f, "name", name)
	switch {
	case slug == "" && strings.TrimSpace(name) != "":
		f.Add(true, "slug", "is required, as none can be made of the name")
	case slug != "":
		f.Add(len(slug) > maxSlug, "slug", "must be at most %d bytes long", maxSlug)
		f.Add(!slugPattern.MatchString(slug), "slug", "may hold lower-case letters and digits, in words joined by '-'")
	}
}

func checkSettings(f *domain.Faults, settings domain.Doc) {
	size := 2
	for k, v := range settings {
		size += len(k) + len(v) + 4
	}
	f.Add(size > maxSettings, "settings", "must be at most %d bytes of JSON", maxSettings)
}

func withoutNulls(d domain.Doc) domain.Doc {
	if len(d) == 0 {
		return nil
	}
	return domain.Doc(nil).Merge(d)
}

// or returns what p points to, or the value as it is when nothing was asked for.
func or[T any](p *T, asItIs T) T {
	if p == nil {
		return asItIs
	}
	return *p
}
