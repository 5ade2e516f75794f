package mem0

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"strata/domain"
	"strata/domain/memory"
)

// Platform is where mem0's platform is.
const Platform = "https://api.mem0.ai"

// Provider keeps memories at mem0. It is safe for concurrent use.
type Provider struct {
	Name    string // as memories name it
	URL     string
	Key     string // "" sends none
	Server  bool   // the open-source server's API, not the platform's
	Infer   bool   // mem0's model makes memories of what is added
	Timeout time.Duration
	Client  *http.Client // see NewClient
	Now     func() time.Time
}

// Bounds of what is read to answer a list or a search.
const (
	pageSize = 100
	maxPages = 50
	foundMax = 100
)

func (p *Provider) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, p.Timeout)
}

// path is where memories are, or one of them.
func (p *Provider) path(id string) string {
	switch {
	case p.Server && id == "":
		return "/memories"
	case p.Server:
		return "/memories/" + escaped(id)
	case id == "":
		return "/v1/memories/"
	}
	return "/v1/memories/" + escaped(id) + "/"
}

// escaped is an id as a segment of a path. Segments of dots alone lead elsewhere.
func escaped(id string) string {
	if id == "." || id == ".." {
		return url.PathEscape("\"" + id)
	}
	return url.PathEscape(id)
}

// Add implements memories.Provider. Where mem0 makes several memories of a text, the
// first is answered.
func (p *Provider) Add(ctx context.Context, by memory.By, f memory.Fields) (memory.Found, error) {
	var none memory.Found
	s := memory.State{}
	facts, err := memory.Add{Fields: f}.Decide(p.env(by), &s)
	if err != nil {
		return none, err
	}
	apply(&s, facts, p.Now())
	if err := p.check(s.Fields); err != nil {
		return none, err
	}
	body := map[string]any{"messages": []map[string]string{{"role": "user", "content": s.Content}}, "infer": p.Infer}
	for name, id := range p.belongs(s.AgentID, s.UserID, s.SessionID, s.AppID) {
		body[name] = id
	}
	if body["metadata"], err = p.metadata(s.Fields); err != nil {
		return none, err
	}
	if !p.Server {
		body["async_mode"], body["version"], body["output_format"] = false, "v2", "v1.1"
		if !s.ExpiresAt.IsZero() { // mem0 knows days; the time of day is ours to heed
			body["expiration_date"] = s.ExpiresAt.AddDate(0, 0, 1).Format(time.DateOnly)
		}
	}
	ctx, cancel := p.within(ctx)
	defer cancel()
	made, err := p.added(ctx, body)
	if err != nil {
		return none, err
	}
	s.ID, s.Provider = made.ID, p.Name
	s.Content = cmp.Or(made.Memory, s.Content)
	return memory.Found{State: s}, nil
}

// added has mem0 keep something and answers with the memory it made.
func (p *Provider) added(ctx context.Context, body any) (record, error) {
	answer, err := p.do(ctx, http.MethodPost, p.path(""), body)
	if err != nil {
		return record{}, err
	}
	made, _, err := records(answer)
	if err != nil {
		return record{}, p.nonsense(err)
	}
	if len(made) > 0 && made[0].ID == "" && made[0].EventID != "" {
		if made, err = p.done(ctx, made[0].EventID); err != nil {
			return record{}, err
		}
	}
	i := slices.IndexFunc(made, func(r record) bool { return r.ID != "" && r.Event != "DELETE" })
	if i < 0 {
		return record{}, domain.Errorf(domain.CodeAIService, "the memory provider %q made no memory of it", p.Name)
	}
	var data struct {
		Memory string `json:"memory"`
	}
	if made[i].Memory == "" && json.Unmarshal(made[i].Data, &data) == nil {
		made[i].Memory = data.Memory
	}
	return made[i], nil
}

// Get implements memories.Provider.
func (p *Provider) Get(ctx context.Context, _ memory.By, id string) (memory.Found, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	return p.get(ctx, id)
}

func (p *Provider) get(ctx context.Context, id string) (memory.Found, error) {
	answer, err := p.do(ctx, http.MethodGet, p.path(id), nil)
	if err != nil {
		return memory.Found{}, missing(err, id)
	}
	var r *record // null is how servers say that there is none
	if err := json.Unmarshal(answer, &r); err != nil {
		return memory.Found{}, p.nonsense(err)
	}
	if r == nil {
		return memory.Found{}, domain.NotFound(memory.Aggregate.Noun, id)
	}
	f := r.found(p.Name)
	if f.ID == "" || !(memory.Scope{}).Holds(f.Fields, p.Now()) {
		return memory.Found{}, domain.NotFound(memory.Aggregate.Noun, id)
	}
	return f, nil
}

// Update implements memories.Provider. Whom a memory belongs to cannot be changed at
// mem0.
func (p *Provider) Update(ctx context.Context, by memory.By, id string, patch domain.Doc) (memory.Found, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	was, err := p.get(ctx, id)
	if err != nil {
		return was, err
	}
	is := was
	facts, err := memory.Revise{Patch: patch}.Decide(p.env(by), &was.State)
	if err != nil || len(facts) == 0 {
		return was, err
	}
	apply(&is.State, facts, p.Now())
	var f domain.Faults
	for _, id := range []struct{ name, was, is string }{{"agent_id", was.AgentID, is.AgentID}, {"user_id", was.UserID, is.UserID},
		{"session_id", was.SessionID, is.SessionID}, {"app_id", was.AppID, is.AppID}} {
		f.Add(id.was != id.is, id.name, "cannot be changed at mem0")
	}
	if err := f.Err(); err != nil {
		return was, err
	}
	if err := p.check(is.Fields); err != nil {
		return was, err
	}
	metadata, err := p.metadata(is.Fields)
	if err != nil {
		return was, err
	}
	for name := range was.Metadata { // mem0 may lay metadata over what it has
		if _, kept := is.Metadata[name]; !kept {
			metadata[name] = json.RawMessage("null")
		}
	}
	_, err = p.do(ctx, http.MethodPut, p.path(id), map[string]any{"text": is.Content, "metadata": metadata})
	return is, missing(err, id)
}

// Delete implements memories.Provider.
func (p *Provider) Delete(ctx context.Context, _ memory.By, id string) error {
	ctx, cancel := p.within(ctx)
	defer cancel()
	if p.Server { // whose answer to an id that it does not know is a failure like any other
		if _, err := p.get(ctx, id); err != nil {
			return err
		}
	}
	_, err := p.do(ctx, http.MethodDelete, p.path(id), nil)
	return missing(err, id)
}

// List implements memories.Provider.
func (p *Provider) List(ctx context.Context, _ memory.By, s memory.Scope, limit int, after string) (memory.Page, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	var out memory.Page
	if err := p.askable(s); err != nil {
		return out, err
	}
	all, err := p.all(ctx, s, func(all []memory.Found) bool { // enough for the page
		from := slices.IndexFunc(all, func(f memory.Found) bool { return f.ID == after }) + 1
		return (from > 0 || after == "") && len(all)-from > limit
	})
	if err != nil {
		return out, err
	}
	if after != "" {
		i := slices.IndexFunc(all, func(f memory.Found) bool { return f.ID == after })
		if i < 0 {
			return out, &domain.Error{Code: domain.CodeValidation, Message: "invalid input data",
				Fields: []domain.FieldError{{Field: "after", Message: "names no memory of this list"}}}
		}
		all = all[i+1:]
	}
	out.More = len(all) > limit
	out.Items = all[:min(limit, len(all))]
	return out, nil
}

// all reads what is within a scope, page by page until it is enough, the latest first.
func (p *Provider) all(ctx context.Context, s memory.Scope, enough func([]memory.Found) bool) (all []memory.Found, err error) {
	for page := 1; page <= maxPages; page++ {
		var answer []byte
		if p.Server {
			answer, err = p.do(ctx, http.MethodGet, p.path("")+"?"+p.query(s).Encode(), nil)
		} else {
			answer, err = p.do(ctx, http.MethodPost, "/v2/memories/?page="+strconv.Itoa(page)+"&page_size="+strconv.Itoa(pageSize),
				map[string]any{"filters": p.filters(s)})
		}
		if err != nil {
			return nil, err
		}
		read, more, err := records(answer)
		if err != nil {
			return nil, p.nonsense(err)
		}
		all = append(all, p.holding(s, read)...)
		if !more || enough(all) {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b memory.Found) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return all, nil
}

// holding are the records that are within a scope.
func (p *Provider) holding(s memory.Scope, read []record) []memory.Found {
	var out []memory.Found
	for _, r := range read {
		if f := r.found(p.Name); f.ID != "" && s.Holds(f.Fields, p.Now()) {
			out = append(out, f)
		}
	}
	return out
}

// Search implements memories.Provider. The scores are mem0's.
func (p *Provider) Search(ctx context.Context, _ memory.By, q memory.Query) (memory.Page, error) {
	ctx, cancel := p.within(ctx)
	defer cancel()
	var out memory.Page
	if err := p.askable(q.Scope); err != nil {
		return out, err
	}
	path, body := "/v2/memories/search/", map[string]any{"query": q.Text, "top_k": foundMax, "threshold": q.Least}
	if p.Server {
		path = "/search"
		delete(body, "threshold") // what is above it depends on the store behind
		for name, id := range p.belongs(q.AgentID, q.UserID, q.SessionID, "") {
			body[name] = id
		}
	} else {
		body["filters"] = p.filters(q.Scope)
	}
	answer, err := p.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return out, err
	}
	read, _, err := records(answer)
	if err != nil {
		return out, p.nonsense(err)
	}
	found := slices.DeleteFunc(p.holding(q.Scope, read), func(f memory.Found) bool { return f.Score < q.Least })
	slices.SortStableFunc(found, func(a, b memory.Found) int { return cmp.Compare(b.Score, a.Score) })
	limit := cmp.Or(q.Limit, 10)
	out.Items, out.More = found[:min(limit, len(found))], len(found) > limit
	return out, nil
}

// askable names what a server could not be asked.
func (p *Provider) askable(s memory.Scope) error {
	var f domain.Faults
	f.Add(p.Server && len(p.belongs(s.AgentID, s.UserID, s.SessionID, "")) == 0, "user_id", "or agent_id or session_id is required by mem0's server")
	return f.Err()
}

func (p *Provider) query(s memory.Scope) url.Values {
	out := url.Values{}
	for name, id := range p.belongs(s.AgentID, s.UserID, s.SessionID, "") {
		out.Set(name, id)
	}
	return out
}

// filters narrows what the platform answers to a scope. Without one it wants to be
// asked for everybody's.
func (p *Provider) filters(s memory.Scope) map[string]any {
	var all []map[string]string
	for name, id := range p.belongs(s.AgentID, s.UserID, s.SessionID, s.AppID) {
		all = append(all, map[string]string{name: id})
	}
	if len(all) > 0 {
		return map[string]any{"AND": all}
	}
	return map[string]any{"OR": []map[string]string{{"user_id": "*"}, {"agent_id": "*"}, {"run_id": "*"}, {"app_id": "*"}}}
}

func (p *Provider) env(by memory.By) domain.Env { return domain.NewEnv(p.Now(), by.Principal, nil) }

// apply folds decided facts into a state that no stream has.
func apply(s *memory.State, facts []domain.Fact, now time.Time) {
	for _, f := range facts {
		memory.Aggregate.Apply(s, domain.Event{Fact: f, Meta: domain.Metadata{OccurredAt: now.UTC()}})
	}
}
