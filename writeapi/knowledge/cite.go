package knowledge

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"strata/domain/knowledge"
)

var marker = regexp.MustCompile(`\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]`)

// cite lists the sources of an answer: those whose numbers it names, and where it
// names none, those that it quotes word by word.
func cite(answer string, sources []knowledge.Found) []citation {
	var named []int
	for _, m := range marker.FindAllStringSubmatch(answer, -1) {
		for number := range strings.SplitSeq(m[1], ",") {
			n, err := strconv.Atoi(strings.TrimSpace(number))
			if err == nil && n >= 1 && n <= len(sources) && !slices.Contains(named, n) {
				named = append(named, n)
			}
		}
	}
	slices.Sort(named)
	if len(named) == 0 {
		named = quoted(answer, sources)
	}
	list := []citation{}
	for _, n := range named {
		f := sources[n-1]
		list = append(list, citation{Index: n, DocumentID: f.DocumentID, DocumentName: f.Name, DatasetID: f.BaseID, ChunkID: f.ChunkID,
			Page: f.Page, Headings: f.Headings, Content: f.Text, Quote: nearest(answer, f.Text), Score: f.Score})
	}
	return list
}

// leastQuoted is how many words a sentence must have to count as a quotation.
const leastQuoted = 3

// quoted are the numbers of sources in which a sentence of the answer stands. Each
// sentence counts for the first source that holds it: overlapping pieces hold it twice.
func quoted(answer string, sources []knowledge.Found) []int {
	var numbers []int
	for _, sentence := range sentences(answer) {
		words := strings.Fields(sentence)
		if len(words) < leastQuoted {
			continue
		}
		plain := strings.Join(words, " ")
		for i, f := range sources {
			if strings.Contains(strings.Join(strings.Fields(f.Text), " "), plain) {
				if !slices.Contains(numbers, i+1) {
					numbers = append(numbers, i+1)
				}
				break
			}
		}
	}
	slices.Sort(numbers)
	return numbers
}

// nearest is the sentence of a source that shares most words with the answer.
func nearest(answer, source string) string {
	said := map[string]bool{}
	for _, w := range wordsOf(answer) {
		said[w] = true
	}
	best, most := "", 0.0
	for _, s := range sentences(source) {
		words := wordsOf(s)
		shared := 0
		for _, w := range words {
			if said[w] {
				shared++
			}
		}
		if share := float64(shared*shared) / float64(max(len(words), 1)); share > most {
			best, most = s, share
		}
	}
	return best
}

func wordsOf(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// sentences cuts a text at the ends of sentences and lines.
func sentences(text string) []string {
	var all []string
	begin := 0
	add := func(end int) {
		if s := strings.TrimSpace(text[begin:end]); s != "" {
			all = append(all, s)
		}
		begin = end
	}
	closed := false
	for i, r := range text {
		if r == '\n' || closed && unicode.IsSpace(r) {
			add(i)
		}
		closed = strings.ContainsRune(".!?", r) || closed && strings.ContainsRune(`"')]`, r)
		if strings.ContainsRune("。！？", r) {
			add(i + len(string(r)))
		}
	}
	add(len(text))
	return all
}
