package httpx

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"strata/domain"
)

// inputPlan is how a request becomes an input struct, worked out once.
type inputPlan struct {
	params []paramPlan
	list   *listPlan
	body   *bodyPlan
}

// paramPlan fills one field from the path, the query or a header.
type paramPlan struct {
	in       string   // path, query, header
	name     string   // as the mount spells it
	names    []string // all accepted spellings
	field    []int
	position int // of a path parameter
	typ      reflect.Type
	pointer  bool
	required bool
	fallback string
	schema   *huma.Schema
	check    checker
	// constrained tells that the type is not all there is to check.
	constrained bool
	plain       bool // a string without constraints
}

// planInput works out the plan for the input struct in of an operation.
func (r *Router) planInput(o *operation, in reflect.Type) *inputPlan {
	if in.Kind() != reflect.Struct {
		panic(fmt.Sprintf("httpx: %s: the input %s is not a struct", o.ID, in))
	}
	plan := &inputPlan{}
	if o.Paging != NoPaging || len(o.Filters) > 0 || len(o.Sort) > 0 || o.Search {
		plan.list = planList(&o.Op)
	}
	r.planFields(o, plan, in, nil)
	if o.Body != nil && plan.body == nil {
		plan.body = r.planBody(o, o.Body, nil) // documents the body of a raw handler
	}
	for i, name := range o.params { // those the input does not mention: handlers of raw operations ask for them
		if !slices.ContainsFunc(plan.params, func(p paramPlan) bool { return p.in == "path" && p.position == i }) {
			plan.params = append(plan.params, paramPlan{
				in: "path", name: name, position: i, schema: &huma.Schema{Type: huma.TypeString}, required: true,
			})
		}
	}
	return plan
}

func (r *Router) planFields(o *operation, plan *inputPlan, t reflect.Type, index []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(index), i)
		switch {
		case f.Type == reflect.TypeFor[ListParams]():
			if plan.list == nil {
				panic(fmt.Sprintf("httpx: %s: the input has ListParams but the operation neither pages, sorts, filters nor searches", o.ID))
			}
			plan.list.field = at
		case f.Name == "Body":
			plan.body = r.planBody(o, f.Type, at)
		case f.Anonymous && f.Type.Kind() == reflect.Struct:
			r.planFields(o, plan, f.Type, at)
		case !f.IsExported():
		default:
			plan.params = append(plan.params, planParam(o, f, at))
		}
	}
}

func planParam(o *operation, f reflect.StructField, at []int) paramPlan {
	p := paramPlan{field: at, typ: f.Type, required: f.Tag.Get("required") == "true", fallback: f.Tag.Get("default")}
	for _, in := range [...]string{"path", "query", "header"} {
		if name := f.Tag.Get(in); name != "" {
			p.in, p.name = in, name
		}
	}
	if p.typ.Kind() == reflect.Pointer {
		p.pointer, p.typ = true, p.typ.Elem()
	}
	switch p.in {
	case "path":
		p.required = true
		p.position = slices.Index(o.params, p.name)
		if p.position < 0 {
			panic(fmt.Sprintf("httpx: %s: the path %q has no parameter %q", o.ID, o.Path, p.name))
		}
	case "query":
		p.names = spellings(p.name)
		p.name = spell(p.name, o.Mount.Camel)
	case "header":
		p.names = []string{http.CanonicalHeaderKey(p.name)}
	default:
		panic(fmt.Sprintf("httpx: %s: the input's field %s has no path, query or header tag", o.ID, f.Name))
	}
	if !paramType(p.typ) {
		panic(fmt.Sprintf("httpx: %s: the input's field %s: %s cannot be a parameter", o.ID, f.Name, p.typ))
	}
	p.schema = huma.SchemaFromField(leafRegistry{}, f, f.Name)
	p.schema.Nullable = false
	if p.schema.Format == "date-time-http" { // times are RFC 3339 everywhere
		p.schema.Format = "date-time"
	}
	p.check = newChecker(p.schema, false)
	bare := leafRegistry{}.Schema(p.typ, false, "")
	p.constrained = constraints(p.schema) != constraints(bare)
	p.plain = p.typ.Kind() == reflect.String && !p.pointer && !p.constrained
	return p
}

// constraints is a schema without what only describes.
func constraints(s *huma.Schema) string {
	c := *s
	c.Description, c.Examples, c.Default, c.Deprecated = "", nil, nil, false
	text, err := c.MarshalJSON()
	if err != nil { // schemas of scalars always have one
		panic(err)
	}
	return string(text)
}

// spellings lists what a query parameter may be called: in both cases, and
// with the brackets that some clients put behind the names of lists.
func spellings(name string) []string {
	out := []string{name}
	if camel := camelCase(name); camel != name {
		out = append(out, camel)
	}
	for _, n := range out {
		out = append(out, n+"[]")
	}
	return out
}

func paramType(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	}
	return t == timeType
}

// bind fills in from the request. All faults come back together.
func (plan *inputPlan) bind(x *exchange, in reflect.Value) error {
	var faults []domain.FieldError
	x.readHeaders(&faults)
	for i := range plan.params {
		if p := &plan.params[i]; p.field != nil {
			p.bind(x, in, &faults)
		}
	}
	if plan.list != nil {
		params := plan.list.bind(x, &faults)
		x.limitUsed = params.Limit
		if plan.list.field != nil {
			in.FieldByIndex(plan.list.field).Set(reflect.ValueOf(params))
		}
	}
	if plan.body != nil {
		if err := plan.body.bind(x, in, &faults); err != nil {
			return err
		}
	}
	return faultsError(faults)
}

// bindRaw reads the headers of a raw operation, whose handler reads the rest.
func (plan *inputPlan) bindRaw(x *exchange) error {
	var faults []domain.FieldError
	x.readHeaders(&faults)
	if x.r.ContentLength > x.op.MaxBody {
		return bodyTooLarge(x.op.MaxBody)
	}
	if x.r.Body != nil && x.r.Body != http.NoBody {
		x.r.Body = http.MaxBytesReader(x.w, x.r.Body, x.op.MaxBody)
	}
	return faultsError(faults)
}

func faultsError(faults []domain.FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	return &domain.Error{Code: domain.CodeValidation, Message: "invalid input data", Fields: faults}
}

// spellFields returns the error with its fields in the mount's case: rooms
// behind the transport name them canonically.
func (plan *inputPlan) spellFields(e *domain.Error, camel bool) *domain.Error {
	if plan.body == nil || plan.body.shape == nil || !camel {
		return e
	}
	out := *e
	out.Fields = make([]domain.FieldError, len(e.Fields))
	for i, f := range e.Fields {
		out.Fields[i] = fieldFault(plan.body.shape.spellPath(f.Field, camel), f.Message)
	}
	return &out
}

// values returns what the request says of a parameter.
func (p *paramPlan) values(x *exchange) []string {
	switch p.in {
	case "path":
		return []string{x.params[p.position]}
	case "header":
		return x.r.Header[p.names[0]]
	}
	if x.r.URL.RawQuery == "" {
		return nil
	}
	q := x.queryValues()
	for _, name := range p.names {
		if v, ok := q[name]; ok {
			return v
		}
	}
	return nil
}

func (p *paramPlan) bind(x *exchange, in reflect.Value, faults *[]domain.FieldError) {
	if p.in == "path" && p.plain {
		in.FieldByIndex(p.field).SetString(x.params[p.position])
		return
	}
	values := p.values(x)
	if len(values) == 0 || (len(values) == 1 && values[0] == "" && p.typ.Kind() != reflect.String) {
		if p.fallback == "" {
			if p.required {
				*faults = append(*faults, fieldFault(p.name, "is required"))
			}
			return
		}
		values = []string{p.fallback}
	}
	value, generic, problem := parseParam(values, p.typ)
	if problem != "" {
		*faults = append(*faults, fieldFault(p.name, problem))
		return
	}
	before := len(*faults)
	if p.constrained {
		p.check.value(generic, newVerdict(), func(rest, message string) {
			*faults = append(*faults, fieldFault(below(p.name, rest), message))
		})
	}
	if len(*faults) > before {
		return
	}
	target := in.FieldByIndex(p.field)
	if p.pointer {
		target.Set(reflect.New(p.typ))
		target = target.Elem()
	}
	target.Set(value.Convert(p.typ))
}

// parseParam parses the text of a parameter into its Go type and into what a
// schema checks, or says what is wrong with it.
func parseParam(values []string, t reflect.Type) (reflect.Value, any, string) {
	text := values[0]
	if t == timeType {
		v, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return reflect.Value{}, nil, "must be an RFC 3339 time, such as 2024-01-15T10:30:00Z"
		}
		return reflect.ValueOf(v.UTC()), text, ""
	}
	switch k := t.Kind(); {
	case k == reflect.String:
		return reflect.ValueOf(text), text, ""
	case k == reflect.Bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return reflect.Value{}, nil, "must be true or false"
		}
		return reflect.ValueOf(v), v, ""
	case k >= reflect.Int && k <= reflect.Int64:
		v, err := strconv.ParseInt(text, 10, t.Bits())
		if err != nil {
			return reflect.Value{}, nil, "must be an integer"
		}
		return reflect.ValueOf(v), v, ""
	case k >= reflect.Uint && k <= reflect.Uint64:
		v, err := strconv.ParseUint(text, 10, t.Bits())
		if err != nil {
			return reflect.Value{}, nil, "must be an integer, not negative"
		}
		return reflect.ValueOf(v), v, ""
	case k == reflect.Float32 || k == reflect.Float64:
		v, err := strconv.ParseFloat(text, t.Bits())
		if err != nil || v != v || v > 1e308 || v < -1e308 {
			return reflect.Value{}, nil, "must be a number"
		}
		return reflect.ValueOf(v), v, ""
	}
	list := splitList(values)
	return reflect.ValueOf(list), list, ""
}

// splitList joins a repeated parameter and its comma-separated values.
func splitList(values []string) []string {
	out := make([]string, 0, len(values))
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			if item = strings.TrimSpace(item); item != "" {
				out = append(out, item)
			}
		}
	}
	return out
}

// firstOf returns the first value of a query under any of its names.
func firstOf(q map[string][]string, names ...string) string {
	for _, name := range names {
		if v := q[name]; len(v) > 0 {
			return v[0]
		}
	}
	return ""
}

// unmarshalFault turns what encoding/json says of a value that fits the schema
// but not the Go type into a fault.
func unmarshalFault(err error, s *shape, camel bool) error {
	if e, ok := err.(*json.UnmarshalTypeError); ok {
		return faultsError([]domain.FieldError{fieldFault(s.spellPath(e.Field, camel), "cannot be "+e.Value)})
	}
	return domain.Errorf(domain.CodeInvalidRequest, "the body does not fit: %v", err)
}
