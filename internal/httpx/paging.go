package httpx

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"strata/domain"
)

// listPlan fills ListParams from the query.
type listPlan struct {
	op      *Op
	field   []int // of ListParams in the input
	filters []filterPlan
}

// filterPlan is one entry of Op.Filters.
type filterPlan struct {
	name  string // canonical
	names []string
	kind  string   // JSON type, or date-time
	enum  []string // allowed values
}

// maxOffset bounds how many items the pages before one may hold: no list is
// longer, and the number must not overflow.
const maxOffset = math.MaxInt32

func planList(op *Op) *listPlan {
	plan := &listPlan{op: op}
	for _, spec := range op.Filters {
		f := filterPlan{kind: huma.TypeString}
		if name, values, ok := strings.Cut(spec, "="); ok {
			f.name, f.enum = name, strings.Split(values, "|")
		} else if name, kind, ok := strings.Cut(spec, ":"); ok {
			f.name, f.kind = name, kind
		} else {
			f.name = spec
		}
		if !slices.Contains([]string{huma.TypeString, huma.TypeInteger, huma.TypeNumber, huma.TypeBoolean, "date-time"}, f.kind) {
			panic(fmt.Sprintf("httpx: %s: filter %q: %q is not a type of filter", op.ID, spec, f.kind))
		}
		f.names = spellings(f.name)
		plan.filters = append(plan.filters, f)
	}
	return plan
}

// listReader reads list parameters and gathers their faults.
type listReader struct {
	x      *exchange
	faults *[]domain.FieldError
}

func (r *listReader) fault(name, format string, args ...any) {
	*r.faults = append(*r.faults, fieldFault(spell(name, r.x.Mount.Camel), fmt.Sprintf(format, args...)))
}

// text returns a parameter under any of its names, canonical first.
func (r *listReader) text(names ...string) string {
	if r.x.r.URL.RawQuery == "" {
		return ""
	}
	return firstOf(r.x.queryValues(), names...)
}

// number reads an integer of at least least.
func (r *listReader) number(fallback, least int, names ...string) int {
	text := r.text(names...)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		message := fmt.Sprintf("must be an integer, at least %d", least)
		for _, other := range names[1:] { // a client looks for the name that it gave
			if r.text(names[0]) == "" && r.text(other) != "" {
				*r.faults = append(*r.faults, fieldFault(other, message))
				return fallback
			}
		}
		r.fault(names[0], "%s", message)
		return fallback
	}
	return n
}

func (plan *listPlan) bind(x *exchange, faults *[]domain.FieldError) ListParams {
	r, op := &listReader{x, faults}, plan.op
	p := ListParams{Desc: true}
	switch op.Paging {
	case Cursor:
		p.Limit = r.number(op.PageDefault, 1, "limit")
		p.Cursor = r.text("cursor")
		p.Offset = r.number(0, 0, "offset")
	case After:
		p.Limit = r.number(op.PageDefault, 1, "limit")
		p.After = r.text("after")
	case Pages:
		p.Page = r.number(1, 1, "page")
		p.Limit = r.number(op.PageDefault, 1, "page_size", "pageSize")
	}
	p.Limit = min(p.Limit, op.PageMax)
	if op.Paging == Pages {
		if last := maxOffset / p.Limit; p.Page > last {
			r.fault("page", "must be at most %d", last)
			p.Page = 1
		}
		p.Offset = (p.Page - 1) * p.Limit
	}
	if len(op.Sort) > 0 {
		plan.bindSort(r, &p)
	}
	if op.Search {
		p.Search = r.text("search")
	}
	if x.r.URL.RawQuery != "" {
		plan.bindFilters(r, &p)
	}
	return p
}

func (plan *listPlan) bindSort(r *listReader, p *ListParams) {
	p.Sort = plan.op.Sort[0]
	if text := r.text("sort", "sortBy", "sort_by"); text != "" {
		name := snakeCase(text)
		if !slices.Contains(plan.op.Sort, name) {
			r.fault("sort", "%q is not one of %s", text, strings.Join(plan.op.Sort, ", "))
		}
		p.Sort = name
	}
	switch text := r.text("order", "sortOrder", "sort_order"); strings.ToLower(text) {
	case "", "desc":
	case "asc":
		p.Desc = false
	default:
		r.fault("order", "must be asc or desc")
	}
}

func (plan *listPlan) bindFilters(r *listReader, p *ListParams) {
	q := r.x.queryValues()
	for i := range plan.filters {
		f := &plan.filters[i]
		var values []string
		for _, name := range f.names {
			if v := q[name]; len(v) > 0 {
				values = v
				break
			}
		}
		if values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" }); len(values) == 0 {
			continue
		}
		for _, v := range splitList(values) {
			if problem := f.problem(v); problem != "" {
				r.fault(f.name, "%s", problem)
			}
		}
		if p.Filters == nil {
			p.Filters = map[string]string{}
		}
		p.Filters[f.name] = strings.Join(values, ",")
	}
}

// problem says what is wrong with a value of a filter, "" when nothing is.
func (f *filterPlan) problem(value string) string {
	var err error
	switch f.kind {
	case huma.TypeInteger:
		_, err = strconv.ParseInt(value, 10, 64)
	case huma.TypeNumber:
		_, err = strconv.ParseFloat(value, 64)
	case huma.TypeBoolean:
		_, err = strconv.ParseBool(value)
	case "date-time":
		if _, err = time.Parse(time.RFC3339, value); err != nil {
			return "must be an RFC 3339 time, such as 2024-01-15T10:30:00Z"
		}
	}
	if err != nil {
		return fmt.Sprintf("%q is not of type %s", value, f.kind)
	}
	if f.enum != nil && !slices.Contains(f.enum, value) {
		return fmt.Sprintf("%q is not one of %s", value, strings.Join(f.enum, ", "))
	}
	return ""
}

// document describes the parameters of the list.
func (plan *listPlan) document(camel bool) []*huma.Param {
	op := plan.op
	var out []*huma.Param
	add := func(name, description string, s *huma.Schema) {
		out = append(out, &huma.Param{Name: spell(name, camel), In: "query", Description: description, Schema: s})
	}
	least, zero := 1.0, 0.0
	size := func() *huma.Schema {
		return &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Default: op.PageDefault}
	}
	limit := fmt.Sprintf("How many items at most; more than %d are cut to %[1]d.", op.PageMax)
	switch op.Paging {
	case Cursor:
		add("limit", limit, size())
		add("cursor", "Where to go on: `nextCursor` of the page before.", &huma.Schema{Type: huma.TypeString})
		add("offset", "How many items to skip.", &huma.Schema{Type: huma.TypeInteger, Minimum: &zero})
	case After:
		add("limit", limit, size())
		add("after", "Where to go on: the id of the last item of the page before.", &huma.Schema{Type: huma.TypeString})
	case Pages:
		add("page", "The number of the page, from 1.", &huma.Schema{Type: huma.TypeInteger, Minimum: &least, Default: 1})
		add("page_size", limit+" Also spelled the other way, page_size or pageSize.", size())
	}
	if len(op.Sort) > 0 {
		sorts, orders := make([]any, len(op.Sort)), []any{"asc", "desc"}
		for i, name := range op.Sort {
			sorts[i] = spell(name, camel)
		}
		by, order := "sort", "order"
		if camel {
			by, order = "sortBy", "sortOrder"
		}
		add(by, "The field to sort by. `sort` and `sortBy` mean the same, and either case of a field's name will do.",
			&huma.Schema{Type: huma.TypeString, Enum: sorts, Default: sorts[0]})
		add(order, "The direction. `order` and `sortOrder` mean the same.",
			&huma.Schema{Type: huma.TypeString, Enum: orders, Default: "desc"})
	}
	if op.Search {
		add("search", "Full text to look for.", &huma.Schema{Type: huma.TypeString})
	}
	for i := range plan.filters {
		f := &plan.filters[i]
		s := &huma.Schema{Type: f.kind}
		if f.kind == "date-time" {
			s.Type, s.Format = huma.TypeString, "date-time"
		}
		for _, v := range f.enum {
			s.Enum = append(s.Enum, v)
		}
		add(f.name, "Only items with this "+cmp.Or(strings.ReplaceAll(f.name, "_", " "), "value")+".", s)
	}
	return out
}

// lister is what every List[T] is to the renderer.
type lister interface {
	page() (count int, more bool, next string, total *int)
	encodeItems(b *buffer) error
	itemType() reflect.Type
}

func (l List[T]) page() (int, bool, string, *int) { return len(l.Items), l.HasMore, l.Next, l.Total }

func (List[T]) itemType() reflect.Type { return reflect.TypeFor[T]() }

// encodeItems appends the items as a JSON array, never null.
func (l List[T]) encodeItems(b *buffer) error {
	if len(l.Items) == 0 {
		b.b = append(b.b, "[]"...)
		return nil
	}
	return b.encode(l.Items)
}
