package personauploads

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"strata/commands"
	"strata/domain"
	"strata/domain/catalogue"
	"strata/domain/personaupload"
)

// Key is what makes two personas the same: name and birthdate.
type Key [2]string

// KeyOf returns the key of a row.
func KeyOf(r personaupload.Row) Key { return Key{r.Name, r.Birthdate} }

// Index knows the personas there are.
type Index interface {
	// Find returns the ids of the personas of a workspace with the keys asked
	// for, the oldest first, as of a position of the log or later.
	Find(ctx context.Context, workspace string, at domain.Position, keys []Key) (map[Key][]string, error)
}

// atOnce is how many rows are applied together, so that their events share
// syncs of the log.
const atOnce = 32

// chunk is a chunk of rows being applied.
type chunk struct {
	upload     string
	first      int // number of its first row
	rows       []personaupload.Row
	resolution personaupload.Resolution
	seen       map[Key]int      // the first row of the upload with a key, of earlier chunks too
	existing   map[Key][]string // personas that were there
	principal  domain.Principal
}

// idOf is the id of the persona that a row makes.
func (c *chunk) idOf(row int) string {
	return personaupload.PersonaID(catalogue.Personas.Prefix, c.upload, row)
}

// keys lists the keys of the rows, each once.
func (c *chunk) keys() []Key {
	var out []Key
	met := map[Key]bool{}
	for _, r := range c.rows {
		if k := KeyOf(r); !met[k] {
			met[k] = true
			out = append(out, k)
		}
	}
	return out
}

// target is the persona that was there before a row came; "" for none. What
// this upload has made is not, but for rows before this one: the index may know
// of some of it, when the chunk is applied again.
func (c *chunk) target(row int, mine map[string]bool) string {
	k := KeyOf(c.rows[row-c.first])
	for _, id := range c.existing[k] {
		if !mine[id] {
			return id
		}
	}
	if first := c.seen[k]; first < row {
		return c.idOf(first)
	}
	return ""
}

// apply applies all rows. Rows of one key go one after the other, as they stand
// in the files.
func (c *chunk) apply(ctx context.Context, r *commands.Resources) (personaupload.Counts, error) {
	groups := map[Key][]int{}
	for i, row := range c.rows {
		groups[KeyOf(row)] = append(groups[KeyOf(row)], c.first+i)
	}
	var (
		mu    sync.Mutex
		sum   personaupload.Counts
		fault error
		work  sync.WaitGroup
	)
	slots := make(chan struct{}, atOnce)
	for _, group := range groups {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			counts, err := c.applyGroup(ctx, r, group)
			mu.Lock()
			defer mu.Unlock()
			sum = sum.Plus(counts)
			if fault == nil {
				fault = err
			}
		})
	}
	work.Wait()
	return sum, fault
}

func (c *chunk) applyGroup(ctx context.Context, r *commands.Resources, rows []int) (sum personaupload.Counts, err error) {
	mine := map[string]bool{}
	for _, row := range rows {
		mine[c.idOf(row)] = true
	}
	mine[c.idOf(c.seen[KeyOf(c.rows[rows[0]-c.first])])] = true
	for _, row := range rows {
		counts, err := c.applyRow(ctx, r, row, c.target(row, mine))
		if err != nil {
			return sum, err
		}
		sum = sum.Plus(counts)
	}
	return sum, nil
}

func (c *chunk) applyRow(ctx context.Context, r *commands.Resources, row int, target string) (personaupload.Counts, error) {
	var counts personaupload.Counts
	if target != "" {
		counts.Conflicts = 1
	}
	switch {
	case target != "" && c.resolution == personaupload.Skip:
		counts.Skipped = 1
		return counts, nil
	case target != "" && c.resolution == personaupload.Overwrite:
		doc, err := Document(c.rows[row-c.first])
		if err != nil {
			return counts, err
		}
		if c.rows[row-c.first].Notes == "" {
			delete(doc, "notes") // the file says nothing, which is no reason to forget
		}
		_, err = r.Update(ctx, catalogue.Personas, commands.Request{Principal: c.principal, ID: target, Passing: true}, doc, "")
		switch domain.CodeOf(err) {
		case domain.CodeNotFound, domain.CodeGone: // it went away meanwhile
			if err != nil {
				return c.create(ctx, r, row, counts)
			}
		}
		if err == nil {
			counts.Updated = 1
		}
		return refused(counts, err)
	}
	return c.create(ctx, r, row, counts)
}

func (c *chunk) create(ctx context.Context, r *commands.Resources, row int, counts personaupload.Counts) (personaupload.Counts, error) {
	doc, err := Document(c.rows[row-c.first])
	if err != nil {
		return counts, err
	}
	_, err = r.Create(ctx, catalogue.Personas, commands.Request{Principal: c.principal, ID: c.idOf(row), Passing: true}, doc)
	if domain.CodeOf(err) == domain.CodeConflict || domain.CodeOf(err) == domain.CodeGone {
		err = nil // this row made it before; what became of it since is its owner's business
	}
	if err == nil {
		counts.Created = 1
	}
	return refused(counts, err)
}

// refused counts a row that will be refused however often it is tried.
func refused(counts personaupload.Counts, err error) (personaupload.Counts, error) {
	if err != nil && domain.CodeOf(err) == domain.CodeValidation {
		counts.Failed = 1
		return counts, nil
	}
	return counts, err
}

// Document is the persona of a row, as commands on personas take it.
func Document(r personaupload.Row) (domain.Doc, error) {
	doc := domain.Doc{}
	for field, text := range map[string]string{"name": r.Name, "birthdate": r.Birthdate, "notes": r.Notes} {
		raw, err := json.Marshal(text)
		if err != nil {
			return nil, fmt.Errorf("persona of a row: %w", err)
		}
		doc[field] = raw
	}
	if len(r.Data) > 0 {
		doc["data"] = slices.Clone(r.Data)
	}
	return doc, nil
}
