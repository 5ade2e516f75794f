package memories

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"strata/domain"
	"strata/projections/query"
)

// Match is a memory that a search found.
type Match struct {
	Memory
	Score float64 // 0 to 1
}

// Bounds of a search. Ranking every match of a common word takes a second among
// 200,000 memories, so candidates are taken before anything is ranked.
const (
	maxWords      = 16  // of the query; more are ignored
	maxCandidates = 300 // the latest per word, and the latest with all words
	maxFound      = 100
)

// Search ranks memories by how well they answer a query, best first: at most
// limit (10 when 0, 100 at most) of a score of at least threshold, and whether
// there are more.
//
// The score of the words does not depend on what else is found at other times of
// the day: it is the share of the query's words that the memory holds, a rare word
// counting more than a common one, less up to a fifth for all that the memory says
// beside them. A memory that says exactly what was asked scores 1.
//
// The score of the meaning is the cosine of the vectors of query and memory, if it
// reaches the least that counts; 0 without a vector.
//
// Both are mixed as independent evidence: 1 - (1-words)*(1-meaning). A memory that
// has neither is not found.
func (q *Queries) Search(ctx context.Context, f Filter, text string, like Meaning, threshold float64, limit int) (found []Match, more bool, err error) {
	var faults domain.Faults
	words := unique(wordsOf(text))
	faults.Add(len(words) == 0, "query", "must hold a word")
	faults.Add(threshold < 0 || threshold > 1 || math.IsNaN(threshold), "score_threshold", "must be between 0 and 1")
	if err := faults.Err(); err != nil {
		return nil, false, err
	}
	words = words[:min(len(words), maxWords)]
	candidates, hits, err := q.candidates(ctx, f, words)
	if err != nil {
		return nil, false, stillBuilding(err)
	}
	near, err := q.alike(ctx, f, like, candidates)
	if err != nil {
		return nil, false, err
	}
	weights := rarity(words, hits)
	for _, m := range candidates {
		s := 1 - (1-score(m.Content, words, weights))*(1-near[m.ID])
		if s > 0 && s >= threshold {
			found = append(found, Match{m, s})
		}
	}
	slices.SortFunc(found, better)
	if limit <= 0 {
		limit = 10
	}
	limit = min(limit, maxFound)
	return found[:min(limit, len(found))], len(found) > limit, nil
}

// better orders matches: score, then what matters more, then what is newer.
func better(a, b Match) int {
	importance := func(m Match) float64 {
		if m.Importance == nil {
			return 0
		}
		return *m.Importance
	}
	switch {
	case a.Score != b.Score:
		return order(b.Score, a.Score)
	case importance(a) != importance(b):
		return order(importance(b), importance(a))
	case !a.UpdatedAt.Equal(b.UpdatedAt):
		return b.UpdatedAt.Compare(a.UpdatedAt)
	}
	return strings.Compare(a.ID, b.ID)
}

func order(a, b float64) int {
	if a < b {
		return -1
	}
	return 1
}

// candidates reads the latest memories with each word, and with all of them,
// and how many there were per word (up to the bound).
func (q *Queries) candidates(ctx context.Context, f Filter, words []string) (map[string]Memory, []int, error) {
	where, err := q.where(f)
	if err != nil {
		return nil, nil, err
	}
	out := map[string]Memory{}
	read := func(match string) (n int, err error) {
		rows, err := q.db.Query(ctx, "SELECT "+shown+" FROM memories_search CROSS JOIN memories ON memories.rowid = memories_search.rowid"+
			where.SQL()+" AND memories_search MATCH ? ORDER BY memories_search.rowid DESC LIMIT ?",
			append(slices.Clone(where.Args()), f.inScope()+" AND content : ("+match+")", maxCandidates)...)
		if err != nil {
			return 0, fmt.Errorf("search memories: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			m, err := scan(query.Row(rows))
			if err != nil {
				return 0, fmt.Errorf("search memories: %w", err)
			}
			out[m.ID] = m
			n++
		}
		return n, rows.Err()
	}
	hits := make([]int, len(words))
	all := make([]string, len(words))
	crowded := 0 // words whose latest memories may not be all of them
	for i, word := range words {
		all[i] = `"` + word + `"`
		if hits[i], err = read(all[i]); err != nil {
			return nil, nil, err
		}
		if hits[i] == maxCandidates {
			crowded++
		}
	}
	// Only words that are all crowded can hide a memory that holds all of them.
	if len(words) > 1 && crowded == len(words) {
		if _, err := read(strings.Join(all, " ")); err != nil {
			return nil, nil, err
		}
	}
	return out, hits, nil
}

// rarity weighs words: one that occurs nowhere weighs 1, one that occurs
// everywhere about an eighth.
func rarity(words []string, hits []int) []float64 {
	weights := make([]float64, len(words))
	for i := range words {
		weights[i] = 1 / math.Log2(2+float64(hits[i]))
	}
	return weights
}

// score says how well a text answers the words of a query, see Search.
func score(text string, words []string, weights []float64) float64 {
	said := wordsOf(text)
	slices.Sort(said)
	said = slices.Compact(said)
	var total, got float64
	matched := 0
	for i, word := range words {
		total += weights[i]
		if _, ok := slices.BinarySearch(said, word); ok {
			got += weights[i]
			matched++
		}
	}
	if matched == 0 {
		return 0
	}
	return got / total * (0.8 + 0.2*float64(matched)/float64(len(said)))
}

// wordsOf splits a text into words as the search index does: in lower case,
// without diacritics, at whatever is no letter or digit.
func wordsOf(text string) []string {
	plain := norm.NFC.String(strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return unicode.ToLower(r)
	}, norm.NFD.String(text)))
	return strings.FieldsFunc(plain, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
}

// unique drops repetitions and keeps the order.
func unique(words []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(words, func(w string) bool {
		again := seen[w]
		seen[w] = true
		return again
	})
}
