package builtin

import (
	"math"
	"strings"
	"unicode/utf8"
)

// Sizes of an embedding.
const (
	DefaultDimensions = 256
	MaxDimensions     = 4096
)

// What a feature weighs by its sort. Whole words say most, their order and
// their parts (which catch inflections and misspellings) less, stop words least.
const (
	weightWord   = 1.0
	weightStop   = 0.1
	weightPair   = 0.5
	weightNgram  = 0.3
	weightTokens = 1.0
)

// Vector embeds a text: a unit vector of dimensions numbers (all zero for a text
// without words). Every feature is hashed to one dimension and one sign, so that
// collisions cancel out on average instead of adding up.
func Vector(text string, dimensions int) []float32 {
	features := map[uint64]feature{}
	add := func(sort byte, text string, weight float64) {
		h := hash(sort, text)
		features[h] = feature{features[h].count + 1, weight}
	}
	previous := ""
	for _, w := range words(text) {
		if stopWords[w] {
			add('w', w, weightStop)
			continue
		}
		s := stem(w)
		add('w', s, weightWord)
		if previous != "" {
			add('p', previous+" "+s, weightPair)
		}
		previous = s
		ngrams(w, func(g string) { add('n', g, weightNgram) })
	}
	return project(features, dimensions)
}

// tokenVector embeds a text given as token ids of a vocabulary this model does
// not know: equal ids are equal features.
func tokenVector(ids []int64, dimensions int) []float32 {
	features := map[uint64]feature{}
	for _, id := range ids {
		var b [8]byte
		for i := range b {
			b[i] = byte(id >> (8 * i))
		}
		h := hash('t', string(b[:]))
		features[h] = feature{features[h].count + 1, weightTokens}
	}
	return project(features, dimensions)
}

// ngrams visits the three to five characters long parts of a word with its ends marked.
func ngrams(word string, visit func(string)) {
	marked := "<" + word + ">"
	starts := make([]int, 0, len(marked)+1)
	for i := range marked {
		starts = append(starts, i)
	}
	starts = append(starts, len(marked))
	if utf8.RuneCountInString(word) < 3 {
		return
	}
	for n := 3; n <= 5; n++ {
		for i := 0; i+n < len(starts); i++ {
			visit(marked[starts[i]:starts[i+n]])
		}
	}
}

// feature is how often something occurs in a text, and what it weighs.
type feature struct{ count, weight float64 }

func project(features map[uint64]feature, dimensions int) []float32 {
	// Sums of floats depend on their order, and a map has none: integers of a
	// millionth keep equal texts equal to the last bit.
	sums := make([]int64, dimensions)
	for h, f := range features {
		v := int64(math.Round((1 + math.Log(f.count)) * f.weight * 1e6))
		if h>>63 == 1 {
			v = -v
		}
		sums[h%uint64(dimensions)] += v
	}
	var square float64
	for _, s := range sums {
		square += float64(s) * float64(s)
	}
	out := make([]float32, dimensions)
	if square == 0 {
		return out
	}
	norm := math.Sqrt(square)
	for i, s := range sums {
		out[i] = float32(float64(s) / norm)
	}
	return out
}

// hash is FNV-1a with a final mix, fixed for ever: stored vectors depend on it.
func hash(sort byte, s string) uint64 {
	h := uint64(14695981039346656037)
	h = (h ^ uint64(sort)) * 1099511628211
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

func blank(text string) bool { return strings.TrimSpace(text) == "" }
