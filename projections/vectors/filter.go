package vectors

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"strata/domain"
)

// Limits of a filter.
const (
	maxFilterDepth = 8
	maxComparisons = 100
	maxListed      = 1000 // values of in and nin
)

// Filter is a condition on metadata: a comparison (Key, Value) or a compound
// (Filters), in the form OpenAI's vector stores take.
type Filter struct {
	Type    string // eq, ne, gt, gte, lt, lte, in, nin, and, or
	Key     string
	Value   any // string, float64, bool, nil; a slice of them for in and nin
	Filters []Filter
}

var comparisons = []string{"eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"}

// ParseFilter reads a filter: {"type":"eq","key":"lang","value":"en"},
// {"type":"and","filters":[…]}, or for short {"lang":"en","tags":["a","b"]}, where
// all fields must be equal and a list means any of its values. Faults are named
// below field. Of nothing, null and {} the filter is nil, which everything passes.
func ParseFilter(field string, text json.RawMessage) (*Filter, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	var doc map[string]json.RawMessage
	p := &filterParser{}
	if err := json.Unmarshal(text, &doc); err != nil {
		p.faults.Add(true, field, "must be an object")
		return nil, p.faults.Err()
	}
	if len(doc) == 0 {
		return nil, nil
	}
	var f Filter
	if isFilter(doc) {
		f = p.parse(field, doc, 1)
	} else {
		f = p.short(field, doc)
	}
	p.faults.Add(p.count > maxComparisons, field, "must hold at most %d comparisons", maxComparisons)
	if err := p.faults.Err(); err != nil {
		return nil, err
	}
	return &f, nil
}

// isFilter tells the long form from the short: metadata may have a key "type", too.
func isFilter(doc map[string]json.RawMessage) bool {
	_, key := doc["key"]
	_, filters := doc["filters"]
	_, typed := doc["type"]
	return typed && (key || filters)
}

type filterParser struct {
	faults domain.Faults
	count  int
}

func (p *filterParser) parse(field string, doc map[string]json.RawMessage, depth int) Filter {
	var f Filter
	if json.Unmarshal(doc["type"], &f.Type) != nil {
		f.Type = ""
	}
	if f.Type == "and" || f.Type == "or" {
		return p.compound(field, f, doc, depth)
	}
	p.count++
	if !slices.Contains(comparisons, f.Type) {
		p.faults.Add(true, field+".type", "must be one of and, or, %s", strings.Join(comparisons, ", "))
		return f
	}
	if json.Unmarshal(doc["key"], &f.Key) != nil || f.Key == "" {
		p.faults.Add(true, field+".key", "must be the name of a metadata field")
	}
	if json.Unmarshal(doc["value"], &f.Value) != nil {
		p.faults.Add(true, field+".value", "is required")
		return f
	}
	p.value(field+".value", &f)
	return f
}

func (p *filterParser) compound(field string, f Filter, doc map[string]json.RawMessage, depth int) Filter {
	var parts []map[string]json.RawMessage
	if json.Unmarshal(doc["filters"], &parts) != nil || len(parts) == 0 {
		p.faults.Add(true, field+".filters", "must be a list of filters")
		return f
	}
	if depth == maxFilterDepth {
		p.faults.Add(true, field, "is nested more than %d deep", maxFilterDepth)
		return f
	}
	for i, part := range parts {
		f.Filters = append(f.Filters, p.parse(fmt.Sprintf("%s.filters.%d", field, i), part, depth+1))
	}
	return f
}

// short reads {"field": value, …}.
func (p *filterParser) short(field string, doc map[string]json.RawMessage) Filter {
	all := Filter{Type: "and"}
	keys := make([]string, 0, len(doc))
	for key := range doc {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		p.count++
		f := Filter{Type: "eq", Key: key}
		if json.Unmarshal(doc[key], &f.Value) != nil {
			continue // it was JSON before
		}
		if _, many := f.Value.([]any); many {
			f.Type = "in"
		}
		p.value(field+"."+key, &f)
		all.Filters = append(all.Filters, f)
	}
	return all
}

// value checks that a value fits the comparison.
func (p *filterParser) value(field string, f *Filter) {
	switch f.Type {
	case "in", "nin":
		list, ok := f.Value.([]any)
		p.faults.Add(!ok, field, "must be a list")
		p.faults.Add(len(list) > maxListed, field, "must hold at most %d values", maxListed)
		for i, v := range list {
			p.faults.Add(!scalar(v), fmt.Sprintf("%s.%d", field, i), "must be a text, a number or a truth value")
		}
	case "eq", "ne":
		p.faults.Add(f.Value != nil && !scalar(f.Value), field, "must be a text, a number, a truth value or null")
	default:
		_, text := f.Value.(string)
		_, number := f.Value.(float64)
		p.faults.Add(!text && !number, field, "must be a number or a text")
	}
}

func scalar(v any) bool {
	switch v.(type) {
	case string, float64, bool:
		return true
	}
	return false
}

// condition writes SQL with its values as parameters.
type condition struct {
	sql  strings.Builder
	args []any
}

// param adds a value and returns its place in the SQL.
func (c *condition) param(typ string, value any) string {
	name := fmt.Sprintf("p%d", len(c.args))
	c.args = append(c.args, ch.Named(name, value))
	return "{" + name + ":" + typ + "}"
}

func (c *condition) filter(f *Filter) {
	switch f.Type {
	case "and", "or":
		c.sql.WriteString("(")
		for i := range f.Filters {
			if i > 0 {
				c.sql.WriteString(map[string]string{"and": " AND ", "or": " OR "}[f.Type])
			}
			c.filter(&f.Filters[i])
		}
		c.sql.WriteString(")")
	case "in", "nin":
		c.among(f)
	case "ne":
		c.sql.WriteString("NOT ")
		c.equal(f.Key, f.Value)
	case "eq":
		c.equal(f.Key, f.Value)
	default:
		c.order(f)
	}
}

// equal compares with a value of the same type; a list is equal to each of its
// values, because that is what tags are filtered by.
func (c *condition) equal(key string, value any) {
	k := c.param("String", key)
	typ, extracted := "JSONType(metadata, "+k+")", ""
	switch v := value.(type) {
	case string:
		p := c.param("String", v)
		extracted = typ + " = 'String' AND JSONExtractString(metadata, " + k + ") = " + p +
			" OR " + typ + " = 'Array' AND has(JSONExtract(metadata, " + k + ", 'Array(Nullable(String))'), " + p + ")"
	case float64:
		extracted = typ + " IN ('Int64', 'UInt64', 'Double') AND JSONExtractFloat(metadata, " + k + ") = " + c.param("Float64", v)
	case bool:
		extracted = typ + " = 'Bool' AND JSONExtractBool(metadata, " + k + ") = " + c.param("Bool", v)
	default:
		extracted = typ + " = 'Null'" // absent or null
	}
	c.sql.WriteString("(" + extracted + ")")
}

func (c *condition) among(f *Filter) {
	list, _ := f.Value.([]any) // as it was checked
	if f.Type == "nin" {
		c.sql.WriteString("NOT ")
	}
	c.sql.WriteString("(0")
	for _, v := range list {
		c.sql.WriteString(" OR ")
		c.equal(f.Key, v)
	}
	c.sql.WriteString(")")
}

func (c *condition) order(f *Filter) {
	k := c.param("String", f.Key)
	sign := map[string]string{"gt": " > ", "gte": " >= ", "lt": " < ", "lte": " <= "}[f.Type]
	switch v := f.Value.(type) {
	case float64:
		c.sql.WriteString("(JSONType(metadata, " + k + ") IN ('Int64', 'UInt64', 'Double') AND JSONExtractFloat(metadata, " + k + ")" + sign + c.param("Float64", v) + ")")
	case string:
		c.sql.WriteString("(JSONType(metadata, " + k + ") = 'String' AND JSONExtractString(metadata, " + k + ")" + sign + c.param("String", v) + ")")
	}
}
