package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"strata/domain"
	"strata/gateway"
	"strata/internal/view"
)

// Bounds of the router.
const (
	// maxCandidates is how many experts of a workspace it looks at.
	maxCandidates = 200
	// leastScore is what a candidate has to reach that nobody asked for.
	leastScore = 0.1
	// maxCompared is how many bytes of a text are compared.
	maxCompared = 4 << 10
	// maxVectors is how many embeddings are kept.
	maxVectors = 4096
)

// candidate is something the router can choose.
type candidate struct {
	expert *Expert
	model  string
	name   string
	texts  []string // what it is about; the best of them counts
	score  float64
}

// route chooses who answers: of the experts that the request names, else of the
// workspace's, the one whose description or context is closest to the question;
// and, if nobody has named a model, the model route whose description is.
func (c *completing) route(ctx context.Context) error {
	c.router.Enabled = true
	experts, routes, err := c.candidates(ctx)
	if err != nil || len(experts)+len(routes) == 0 {
		if c.plan.RouterReasons {
			c.router.Reasoning = "There is nothing to choose from."
		}
		return err
	}
	if err := c.score(ctx, c.plan.Question.Content, experts, routes); err != nil {
		return err
	}
	if best := first(experts); best != nil && (best.score >= leastScore || len(c.plan.experts) > 0) {
		c.router.ExpertID, c.router.Expert, c.router.Score = best.expert.ID, best.name, rounded(best.score)
		c.plan.experts = []Expert{*best.expert}
	}
	if best := first(routes); best != nil && best.score >= leastScore {
		c.router.Model, c.router.Score = best.model, max(c.router.Score, rounded(best.score))
	}
	if c.plan.RouterReasons {
		c.router.Reasoning = reasoning(c.router, append(experts, routes...))
	}
	return nil
}

func first(sorted []candidate) *candidate {
	if len(sorted) == 0 {
		return nil
	}
	return &sorted[0]
}

// rounded is a score as answers show it: between 0 and 1, without the noise.
func rounded(score float64) float64 { return math.Round(min(max(score, 0), 1)*1e4) / 1e4 }

// reasoning tells how well the best candidates fit.
func reasoning(chosen view.RouterChoice, sorted []candidate) string {
	slices.SortStableFunc(sorted, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	var fits []string
	for _, c := range sorted[:min(3, len(sorted))] {
		fits = append(fits, fmt.Sprintf("%q %.2f", c.name, rounded(c.score)))
	}
	if chosen.ExpertID == "" && chosen.Model == "" {
		return fmt.Sprintf("Nothing fits the question well enough (at least %.2f); closest by meaning: %s.", leastScore, strings.Join(fits, ", "))
	}
	return "Closest to the question by meaning: " + strings.Join(fits, ", ") + "."
}

func (c *completing) candidates(ctx context.Context) (experts, routes []candidate, err error) {
	workspace := c.plan.Request.Principal.Workspace
	from := c.plan.experts
	if len(from) == 0 {
		if from, err = c.s.Catalogue.Experts(ctx, workspace, maxCandidates); err != nil {
			return nil, nil, err
		}
	}
	for i := range from {
		e := &from[i]
		experts = append(experts, candidate{expert: e, name: e.Name, texts: []string{e.Name + ". " + e.Description, e.Context}})
	}
	if c.plan.Model != "" {
		return experts, nil, nil
	}
	all, err := c.s.Catalogue.Routes(ctx, workspace)
	for _, r := range all {
		if r.Description != "" {
			routes = append(routes, candidate{model: r.Model, name: r.Model, texts: []string{r.Description}})
		}
	}
	return experts, routes, err
}

// score compares candidates with the question and puts the best first.
func (c *completing) score(ctx context.Context, question string, lists ...[]candidate) error {
	texts := []string{clip(question)}
	for _, list := range lists {
		for _, k := range list {
			for _, t := range k.texts {
				texts = append(texts, clip(t))
			}
		}
	}
	vectors, err := c.embed(ctx, texts)
	if err != nil {
		return err
	}
	for _, list := range lists {
		for i := range list {
			for _, t := range list[i].texts {
				list[i].score = max(list[i].score, cosine(vectors[texts[0]], vectors[clip(t)]))
			}
		}
		slices.SortStableFunc(list, func(a, b candidate) int { return cmp.Compare(b.score, a.score) })
	}
	return nil
}

func clip(s string) string {
	if len(s) > maxCompared {
		s = s[:maxCompared]
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), "")
}

func cosine(a, b []float64) float64 {
	if len(a) != len(b) {
		return 0
	}
	var dot, aa, bb float64
	for i := range a {
		dot += a[i] * b[i]
		aa += a[i] * a[i]
		bb += b[i] * b[i]
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return dot / math.Sqrt(aa*bb)
}

// vectors keeps embeddings: descriptions are compared again with every question.
type vectors struct {
	mu   sync.Mutex
	kept map[string][]float64
}

func (v *vectors) get(key string) ([]float64, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	out, ok := v.kept[key]
	return out, ok
}

// keep forgets all when it has too many: the next questions bring back what is
// needed.
func (v *vectors) keep(key string, vector []float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept == nil || len(v.kept) >= maxVectors {
		v.kept = map[string][]float64{}
	}
	v.kept[key] = vector
}

// embed finds the embeddings of texts, by text; the first is a question, which
// is not kept: it is personal, and rarely comes twice. Empty texts have none.
func (c *completing) embed(ctx context.Context, texts []string) (map[string][]float64, error) {
	out, model := map[string][]float64{}, c.s.Embedder
	place := func(text string) string { return c.plan.Request.Principal.Workspace + "\x00" + model + "\x00" + text }
	var missing []string
	for i, t := range texts {
		vector, ok := c.s.vectors.get(place(t))
		switch {
		case t == "" || slices.Contains(missing, t):
		case ok && i > 0:
			out[t] = vector
		default:
			missing = append(missing, t)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	req, err := gateway.NewEmbed(model, missing, 0)
	if err != nil {
		return nil, err
	}
	res, err := c.s.Gateway.Embed(ctx, c.call(routerCall), req)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data []struct {
			Index     int       `json:"index"`
			Embedding []float64 `json:"embedding"`
		} `json:"data"`
	}
	if err := json.Unmarshal(res.Body, &answer); err != nil || len(answer.Data) != len(missing) {
		return nil, domain.Errorf(domain.CodeAIService, "the embedding model %s did not answer with a vector for each text", model)
	}
	for _, d := range answer.Data {
		if d.Index < 0 || d.Index >= len(missing) {
			continue
		}
		text := missing[d.Index]
		out[text] = d.Embedding
		if text != texts[0] {
			c.s.vectors.keep(place(text), d.Embedding)
		}
	}
	return out, nil
}
