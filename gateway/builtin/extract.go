package builtin

import (
	"math"
	"sort"
	"strings"
)

// Sorry is what extract-1 says when the conversation holds no answer.
const Sorry = "I found nothing in this conversation that answers that. " +
	"I am strata/extract-1, the small model built into Strata: I can only quote sentences I was given. " +
	"Add context to the conversation, or connect a provider for a model that writes freely."

// maxQuoted is the most sentences one answer quotes.
const maxQuoted = 3

// enough is the share of the best sentence's score that another one needs to be
// quoted beside it.
const enough = 0.5

// extract answers the last user message of a conversation with sentences of it.
func extract(messages []message) string {
	question, context := split(messages)
	asked := unique(terms(question))
	if len(asked) == 0 {
		return Sorry
	}
	var candidates []string
	seen := map[string]bool{}
	for _, text := range context {
		for _, s := range sentences(text) {
			if !seen[s] && !strings.HasSuffix(s, "?") { // a question answers none
				seen[s] = true
				candidates = append(candidates, s)
			}
		}
	}
	picked := pick(asked, candidates)
	if len(picked) == 0 {
		return Sorry
	}
	return strings.Join(picked, " ")
}

// split separates the question from what may hold its answer. A last message of
// several sentences ("Context: … Question: …") carries its own context: its last
// question, or else its last sentence, is the question.
func split(messages []message) (question string, context []string) {
	last := -1
	for i, m := range messages {
		if m.role == "user" {
			last = i
		}
	}
	for i, m := range messages {
		// What this model said before, when it found nothing, is no source.
		if i != last && m.text != Sorry {
			context = append(context, m.text)
		}
	}
	if last < 0 {
		return "", context
	}
	parts := sentences(messages[last].text)
	if len(parts) == 0 {
		return "", context
	}
	at := len(parts) - 1
	for i, p := range parts {
		if strings.HasSuffix(p, "?") {
			at = i
		}
	}
	own := append(append([]string{}, parts[:at]...), parts[at+1:]...)
	return parts[at], append(context, strings.Join(own, "\n"))
}

// pick returns the sentences that best answer a question, in their own order.
// A term counts the more, the fewer sentences have it, and long sentences are
// held back a little: they share words with everything.
func pick(asked, candidates []string) []string {
	sets := make([]map[string]bool, len(candidates))
	frequency := map[string]int{}
	for i, s := range candidates {
		sets[i] = map[string]bool{}
		for _, t := range unique(terms(s)) {
			sets[i][t] = true
			frequency[t]++
		}
	}
	scores := make([]float64, len(candidates))
	best := 0.0
	for i, set := range sets {
		for _, t := range asked {
			if set[t] {
				scores[i] += math.Log(1 + float64(len(candidates))/float64(frequency[t]))
			}
		}
		scores[i] /= math.Sqrt(1 + float64(len(set))/16)
		best = math.Max(best, scores[i])
	}
	if best == 0 {
		return nil
	}
	order := make([]int, 0, len(candidates))
	for i, score := range scores {
		if score >= best*enough {
			order = append(order, i)
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return scores[order[a]] > scores[order[b]] })
	order = order[:min(len(order), maxQuoted)]
	sort.Ints(order)
	picked := make([]string, len(order))
	for i, at := range order {
		picked[i] = candidates[at]
	}
	return picked
}

func unique(list []string) []string {
	seen := make(map[string]bool, len(list))
	out := list[:0:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
